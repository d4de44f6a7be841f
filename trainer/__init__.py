"""Find and remove what is not news in scraped articles: appeals, menus, teasers, captions.

Label files are read (`dataset`), a two-stage model is trained on them (`features`, `context`, `estimator`, `training`) and
judged on sites it has not seen (`evaluation`), then written as plain arrays (`artifact`). A scraper loads those arrays and
filters articles:

    import trainer

    model = trainer.load()                     # the English news model of the package; or a folder: "models/mine"
    result = model.filter(text)
    result.text      # the kept paragraphs
    result.removed   # what went: text, place, label, probability

A second model says whether what is left is a whole, readable piece of journalism: `trainer.load_quality().judge(result)`.

What this package imports by itself is the standard library, NumPy and safetensors; everything else belongs to training.
"""

from trainer.artifact import load
from trainer.errors import ArtifactError, InputError, TrainerError
from trainer.memory import SiteMemory
from trainer.model import Classifier
from trainer.paragraph import Article, Paragraph, split
from trainer.quality import QualityModel, Verdict
from trainer.quality_artifact import load_quality
from trainer.result import FilterResult, Prediction, Removed

__all__ = [
    "Article",
    "ArtifactError",
    "Classifier",
    "FilterResult",
    "InputError",
    "Paragraph",
    "Prediction",
    "QualityModel",
    "Removed",
    "SiteMemory",
    "TrainerError",
    "Verdict",
    "load",
    "load_quality",
    "split",
]
__version__ = "0.1.0"
