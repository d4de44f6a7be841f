import re
import tomllib

import pytest
from corruptions import signed
from pydantic import BaseModel
from small import ROOT

from trainer.artifact import WEIGHTS, load
from trainer.config import Config, LabelSection, load_config
from trainer.errors import ArtifactError, ConfigError
from trainer.estimator import ArticleClassifier
from trainer.schema import NEWS_LABELS

NEWS, FAST = ROOT / "configs" / "news.toml", ROOT / "configs" / "fast.toml"
SECTIONS = {name: value for name, value in Config() if isinstance(value, BaseModel)}


def present(path):
    if not path.exists():
        pytest.xfail(f"{path.name} is not there yet")
    return path


def keys():
    """Name every key of the configuration; labels are a list of tables."""
    plain = [name for name in Config.model_fields if name not in SECTIONS and name != "labels"]
    return [*plain, *(f"{name}.{key}" for name, section in SECTIONS.items() for key in type(section).model_fields)]


# ── the files of the repository


def test_news_file_says_what_the_defaults_are():
    assert load_config(present(NEWS)) == load_config()


def test_fast_file_loads_and_differs():
    assert load_config(present(FAST)) != load_config()


@pytest.mark.parametrize("path", [NEWS, FAST], ids=["news", "fast"])
def test_files_keep_the_labels_of_the_repository(path):
    assert load_config(present(path)).label_set == NEWS_LABELS


@pytest.mark.parametrize("key", keys())
def test_news_file_holds_every_key(key):
    found = tomllib.loads(present(NEWS).read_text("utf-8"))
    for part in key.split("."):
        assert part in found, key
        found = found[part]


@pytest.mark.parametrize("key", [*keys(), *(f"labels.{name}" for name in LabelSection.model_fields)])
def test_news_file_explains_every_key(key):
    """A comment stands above the key, or above the settings right before it that it goes with."""
    section, _, name = key.rpartition(".")
    here, commented, found = "", False, []
    for line in map(str.strip, present(NEWS).read_text("utf-8").splitlines()):
        if header := re.fullmatch(r"\[+([\w.]+)\]+.*", line):
            here = header[1]
        elif re.match(rf"{re.escape(name)}\s*=", line) and here == section:
            found.append(commented)
        commented = bool(line) and (commented or line.startswith("#"))
    assert any(found), f"no comment stands before {key}"


# ── reading


def test_defaults_are_the_estimators_and_the_labels_those_of_news():
    params = load_config().estimator_params()
    folds = ("folds",)
    defaults = ArticleClassifier().get_params()
    assert {k: v for k, v in params.items() if k not in folds} == {k: v for k, v in defaults.items() if k not in folds}
    assert load_config().label_set == NEWS_LABELS


def test_every_parameter_of_the_estimator_comes_from_the_configuration():
    assert set(load_config().estimator_params()) == set(ArticleClassifier().get_params())


def test_file_sets_what_it_names_and_leaves_the_rest(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text('seed = 7\n[features]\nchar_ngrams = [3, 5]\n[text]\nclass_weight = "none"\nC = 2\n')
    config = load_config(path)
    assert (config.seed, config.features.char_ngrams, config.text.class_weight, config.text.C) == (7, (3, 5), "none", 2.0)
    assert config.context == Config().context
    assert config.features.word_bits == Config().features.word_bits


def test_labels_are_configuration(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text('[[labels]]\nname = "prose"\nkept = true\n[[labels]]\nname = "junk"\n')
    labels = load_config(path).label_set
    assert labels.names == ("prose", "junk")
    assert labels.kept == (0,)


def test_kinds_of_labels_are_for_reading_label_files_alone():
    config = load_config(
        overrides=['labels=[{name="story", kept=true, kinds=["news"]}, {name="junk", kinds=["promo", "legal"]}]']
    )
    assert config.by_kind == {"news": "story", "promo": "junk", "legal": "junk"}
    assert config.label_set.names == ("story", "junk")
    plain = load_config(overrides=['labels=[{name="story", kept=true}, {name="junk"}]'])
    assert plain.label_set == config.label_set
    assert plain.digest != config.digest
    assert load_config().by_kind == {}


def test_configuration_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        load_config().seed = 3
    with pytest.raises(ValueError, match="frozen"):
        load_config().text.C = 3.0


def test_digest_follows_the_values(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text("seed = 0\n[text]\nC = 1\n")
    assert load_config(path).digest == load_config().digest
    assert load_config(overrides=["seed=1"]).digest != load_config().digest


# ── what is refused


def refusal(*overrides, path=None):
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "key",
    [
        "sed",
        "context.depth",
        "context.passes",
        "context.min_kind",
        "text.c",
        "features.bits",
        "policy.threshold",
        "evaluation.fold",
        "Seed",
    ],
)
def test_unknown_key_is_refused_by_name(tmp_path, key):
    assert f"unknown key {key}" in refusal(f"{key}=1")
    section, _, name = key.rpartition(".")
    path = tmp_path / "c.toml"
    path.write_text((f"[{section}]\n" if section else "") + f"{name} = 1\n")
    assert refusal(path=path).startswith(f"{path}: unknown key {key}")


def test_unknown_section_and_unknown_key_of_a_label_are_refused(tmp_path):
    assert "unknown key model" in refusal("model.C=1")
    path = tmp_path / "c.toml"
    path.write_text('[[labels]]\nname = "a"\nkept = true\n[[labels]]\nname = "b"\ncolor = "#fff"\n')
    assert "unknown key labels.1.color" in refusal(path=path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", "1.5"),
        ("seed", "true"),
        ("seed", "-1"),
        ("seed", '"1"'),
        ("seed", ""),
        ("inner_folds", "1"),
        ("features.word_bits", "21"),
        ("features.word_bits", "3"),
        ("features.char_ngrams", "4"),
        ("features.char_ngrams", "[4]"),
        ("features.char_ngrams", "[3, 4, 5]"),
        ("features.char_ngrams", '["3", "4"]'),
        ("text.C", "0"),
        ("text.C", "nan"),
        ("text.C", "true"),
        ("text.min_count", "0"),
        ("text.class_weight", "auto"),
        ("text.min_kind", "-1"),
        ("text.min_kind", "2.5"),
        ("context.width", "0"),
        ("context.width", "1025"),
        ("context.width", "48.0"),
        ("context.head", "0"),
        ("context.head", "1025"),
        ("context.dilations", "[0]"),
        ("context.dilations", "[1, -2]"),
        ("context.dilations", "[1, 65]"),
        ("context.dilations", "[1.0]"),
        ("context.dilations", '["1"]'),
        ("context.dilations", "5"),
        ("context.dilations", f"{[1] * 17}"),
        ("context.views", "-1"),
        ("context.views", "33"),
        ("context.views", "true"),
        ("context.balance", "-0.1"),
        ("context.balance", "1.1"),
        ("context.epochs", "0"),
        ("context.epochs", "1.5"),
        ("context.batch", "0"),
        ("context.batch", "1.5"),
        ("context.learning_rate", "0"),
        ("context.learning_rate", "-0.001"),
        ("context.dropout", "-0.1"),
        ("context.dropout", "1"),
        ("context.decay", "-1"),
        ("policy.max_news_loss", "1.1"),
        ("policy.max_news_loss", "-0.1"),
        ("policy.allow_empty", "1"),
        ("policy.allow_empty", "yes"),
        ("evaluation.folds", "1"),
        ("evaluation.near_duplicate", "0"),
        ("features", "3"),
        ("labels", "3"),
        ("labels", "[]"),
    ],
)
def test_wrong_value_is_refused_by_name(key, value):
    assert key in refusal(f"{key}={value}") or key == "labels"


@pytest.mark.parametrize("key", ["text.C", "context.balance", "context.decay", "context.dropout", "context.learning_rate"])
def test_infinite_number_is_refused_by_name(key):
    assert key in refusal(f"{key}=inf")


@pytest.mark.parametrize("ngrams", ["[5, 3]", "[1, 4]", "[4, 9]"])
def test_ngrams_that_make_no_range_are_refused(ngrams):
    assert "features: char_ngrams must be" in refusal(f"features.char_ngrams={ngrams}")


@pytest.mark.parametrize(
    ("labels", "cause"),
    [
        ('[{name="a", kept=true}]', "2 to 64 labels"),
        ('[{name="a", kept=true}, {name="a"}]', "distinct"),
        ('[{name="a", kept=true}, {name="b", kept=true}]', "kept = false"),
        ('[{name="a"}, {name="b"}]', "kept = true"),
        ('[{name="", kept=true}, {name="b"}]', "labels.0.name"),
        ('[{kept=true}, {name="b"}]', "labels.0.name"),
        (
            '[{name="a", kept=true, kinds=["x", "y"]}, {name="b", kinds=["y"]}]',
            "labels: the kind 'y' is claimed by 'a' and by 'b'",
        ),
        ('[{name="a", kept=true, kinds="x"}, {name="b"}]', "labels.0.kinds"),
        ('[{name="a", kept=true, kinds=[""]}, {name="b"}]', "labels.0.kinds.0"),
        ('[{name="a", kept=true, kinds=[3]}, {name="b"}]', "labels.0.kinds.0"),
    ],
)
def test_label_sets_that_make_no_sense_are_refused(labels, cause):
    assert cause in refusal(f"labels={labels}")


@pytest.mark.parametrize("data", [b"seed = \n", b"[text\n", b"seed = 1\nseed = 2\n", b"# caf\xe9\n"])
def test_file_that_is_not_toml_is_refused(tmp_path, data):
    path = tmp_path / "c.toml"
    path.write_bytes(data)
    assert refusal(path=path).startswith(f"{path}: is not TOML")


def test_missing_file_and_folder_are_refused(tmp_path):
    assert "No such file" in refusal(path=tmp_path / "gone.toml")
    assert "Is a directory" in refusal(path=tmp_path)


def test_deeply_nested_toml_is_refused(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text("seed = " + "[" * 5000 + "]" * 5000)
    assert str(path) in refusal(path=path)


# ── overrides


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("seed=3", "seed", 3),
        (" seed = 3 ", "seed", 3),
        ("seed=0x10", "seed", 16),
        ("text.C=2", "text.C", 2.0),
        ("text.C=1e-2", "text.C", 0.01),
        ("text.class_weight=none", "text.class_weight", "none"),
        ('text.class_weight="none"', "text.class_weight", "none"),
        ("features.char_ngrams=[3,5]", "features.char_ngrams", (3, 5)),
        ("context.dilations=[]", "context.dilations", ()),
        ("context.dilations=[1, 2, 3]", "context.dilations", (1, 2, 3)),
        ("context.dilations=[64]", "context.dilations", (64,)),
        ("context.width=1024", "context.width", 1024),
        ("context.views=0", "context.views", 0),
        ("context.dropout=0", "context.dropout", 0.0),
        ("context.decay=0", "context.decay", 0.0),
        ("context.balance=1", "context.balance", 1.0),
        ("text.min_kind=0", "text.min_kind", 0),
        ("policy.allow_empty=true", "policy.allow_empty", True),
        ("policy={max_news_loss=0.25}", "policy.max_news_loss", 0.25),
        ("features.char_ngrams = [ 2 , 2 ] # short", "features.char_ngrams", (2, 2)),
    ],
)
def test_override(override, key, value):
    found = load_config(overrides=[override])
    for part in key.split("."):
        found = getattr(found, part)
    assert found == value


def test_label_colours_may_be_given_in_an_override():
    config = load_config(overrides=['labels=[{name="a=b", kept=true}, {name="x", colour="#123456"}]'])
    assert [label.name for label in config.labels] == ["a=b", "x"]
    assert config.labels[1].colour == "#123456"


def test_overrides_win_over_the_file_and_later_over_earlier(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text("seed = 1\n[text]\nC = 5.0\nmin_count = 3\n")
    config = load_config(path, ["text.C=6", "text.C=7", "seed=2"])
    assert (config.seed, config.text.C, config.text.min_count) == (2, 7.0, 3)


@pytest.mark.parametrize("override", ["", "seed", "=3", ".=3", "text.=3", ".C=3", "text..C=3"])
def test_override_without_key_or_value_is_refused(override):
    assert "is not key=value" in refusal(override)


def test_override_with_two_values_is_refused():
    assert "is not one value" in refusal("seed=1\ninner_folds=3")


def test_override_into_what_is_no_section_is_refused(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text("seed = 1\n")
    assert "seed is not a section" in refusal("seed.x=1", path=path)
    assert "seed" in refusal("seed.x=1")
    assert "C is not a section" in refusal("text.C=1", "text.C.x=1")
    path.write_text('[[labels]]\nname = "a"\nkept = true\n[[labels]]\nname = "b"\n')
    assert "labels is not a section" in refusal("labels.a=1", path=path)


# ── what the model file holds


@pytest.mark.parametrize(
    ("key", "value"),
    [("width", 1024), ("head", 1024), ("dilations", (64,)), ("dilations", (1,) * 16), ("dilations", ())],
    ids=["width", "head", "a distance", "distances", "no distances"],
)
def test_the_largest_network_of_the_configuration_may_stand_in_a_model_file(model_folder, tmp_path, key, value):
    """What training may be told, loading must not refuse: here only the arrays do not fit."""
    assert (
        getattr(load_config(overrides=[f"context.{key}={list(value) if isinstance(value, tuple) else value}"]).context, key)
        == value
    )
    damaged = signed((model_folder / WEIGHTS).read_bytes(), lambda item, _: item["sequence"].update({key: value}))
    (tmp_path / WEIGHTS).write_bytes(damaged)
    with pytest.raises(ArtifactError, match=r"^.* (array sequence|has unknown arrays|lacks)"):
        load(tmp_path)
