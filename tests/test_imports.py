"""What a scraper loads: the standard library, NumPy and safetensors, nothing of training."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HEAVY = (
    "asyncio click datasketch jinja2 joblib label_studio_sdk lxml matplotlib msgspec numpy.testing pandas pyarrow pydantic rich "
    "scipy scrapy sklearn threadpoolctl torch trainer.bulk trainer.cli trainer.config trainer.dataset trainer.estimator "
    "trainer.evaluation trainer.integrations trainer.pages trainer.standoff trainer.training typer"
).split()
LOADED = "print(json.dumps(sorted(sys.modules)))"


def modules(code: str, *arguments: str) -> set[str]:
    """Run code in a fresh interpreter and return the modules it loaded."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import json, sys\n{code}\n{LOADED}", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_filtering_loads_nothing_heavy(model_folder: Path) -> None:
    code = (
        "import trainer\n"
        "model = trainer.load(sys.argv[1])\n"
        "assert model.filter('Home\\nThe council voted on Monday.\\nDonate now!').paragraphs\n"
        "assert list(model.filter_many(['one', ['two', 'three']])) and model.label(['one'])"
    )
    assert modules(code, str(model_folder)) & set(HEAVY) == set()


def test_filtering_loads_no_packages_but_numpy_and_safetensors(model_folder: Path) -> None:
    plain = modules("")
    loaded = modules("import trainer\ntrainer.load(sys.argv[1]).filter('text')", str(model_folder))
    packages = {name.partition(".")[0] for name in loaded - plain} - set(sys.stdlib_module_names)
    assert packages <= {"trainer", "numpy", "safetensors", "_distutils_hack"}


def test_what_judges_whole_articles_is_loaded_when_it_is_asked_for() -> None:
    loaded = "print('trainer.quality' in sys.modules)"
    code = f"import sys, trainer; {loaded}; trainer.Verdict; {loaded}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\nTrue\n"


def test_every_public_name_is_there() -> None:
    import trainer

    assert all(hasattr(trainer, name) for name in trainer.__all__)
