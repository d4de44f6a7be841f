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

from importlib import import_module
from typing import TYPE_CHECKING, Any

from trainer.artifact import load
from trainer.errors import ArtifactError, InputError, TrainerError
from trainer.memory import SiteMemory
from trainer.model import Classifier
from trainer.paragraph import Article, Paragraph, split
from trainer.result import FilterResult, Prediction, Removed

if TYPE_CHECKING:
    from trainer.quality import QualityModel, Verdict
    from trainer.quality_artifact import load_quality

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
_LATER = {"QualityModel": "trainer.quality", "Verdict": "trainer.quality", "load_quality": "trainer.quality_artifact"}


def __getattr__(name: str) -> Any:
    """Load what judges whole articles when it is first asked for: scrapers that do without start faster."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
