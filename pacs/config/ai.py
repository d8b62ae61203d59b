"""Settings of the models that read studies, and the rules that say which."""

from dataclasses import dataclass
from typing import Literal

from pacs.config.fields import needed, setting


@dataclass(frozen=True, slots=True)
class AiModel:
    """A model that reads studies."""

    name: str = needed("What to call it, in rules, findings and the audit trail.", form="name")
    kind: Literal["http", "python", "onnx"] = setting(
        "http", "http: a server that is sent jobs; python, onnx: a plugin that runs in the worker."
    )
    version: str = setting("", "The version expected; what another one answers is refused. Empty: any.")
    enabled: bool = setting(True, "Send it studies. Otherwise they wait for it until it is enabled again.")
    url: str = setting(
        "", "Where jobs are sent (kind http), e.g. http://127.0.0.1:9000/jobs.", form="http-url"
    )
    path: str = setting(
        "",
        "The plugin: an .onnx file (kind onnx); a .py file, or module:function of an installed one "
        "(kind python).",
    )
    memory_megabytes: int = setting(
        2048, "Memory that a plugin's process may use; beyond it is ended.", low=64, high=1_048_576
    )
    secret: str = setting(
        "", "Sent with every job as `Authorization: Bearer`, so that the model knows us.", secret=True
    )
    timeout_seconds: float = setting(
        60.0, "Seconds until an answer has to be complete.", low=0.1, high=3600.0
    )
    callback: bool = setting(
        True, "Let it answer 202 and tell its findings later; otherwise they have to come at once."
    )
    answer_seconds: float = setting(
        3600.0,
        "Seconds it has for findings told later; then it is asked again. Its token is good for as long.",
        low=1.0,
        high=604_800.0,
    )
    attempts: int = setting(
        20, "How often it is asked about one study before that is given up.", low=1, high=1000
    )
    workers: int = setting(2, "Studies it is asked about at once by one worker process.", low=1, high=64)


@dataclass(frozen=True, slots=True)
class AiRule:
    """Which studies go to a model: those that meet every condition. One not set is met by any study."""

    name: str = needed("What to call it when it is given as the reason.", form="name")
    model: str = needed("Name of the model, one of [[ai.models]].", form="name")
    modalities: tuple[str, ...] = setting((), "Some series is of one of these modalities, e.g. CT, MR.")
    body_parts: tuple[str, ...] = setting(
        (), "Some series is of one of these body parts (Body Part Examined), e.g. CHEST."
    )
    description: str = setting(
        "", "The study's description is like this, case aside; * and ? stand for anything."
    )
    sop_classes: tuple[str, ...] = setting((), "Some object is of one of these SOP classes, by UID.")
    min_instances: int = setting(0, "It has at least so many objects.", low=0, high=1_000_000_000)
    max_instances: int = setting(
        0, "It has at most so many objects; 0: any number.", low=0, high=1_000_000_000
    )
    min_age_years: float = setting(
        0.0,
        "The patient was at least so old at the study. Not met while the age is unknown.",
        low=0.0,
        high=200.0,
    )
    max_age_years: float = setting(
        0.0,
        "The patient was at most so old; 0: any age. Not met while the age is unknown.",
        low=0.0,
        high=200.0,
    )


@dataclass(frozen=True, slots=True)
class AiConfig:
    """Models, and which studies they are asked about. They change the order of the reading list only."""

    base_url: str = setting(
        "",
        "Where models find this archive, e.g. https://pacs.example.org. Empty: where [web] listens.",
        form="http-url",
    )
    models: tuple[AiModel, ...] = setting((), "Known models, one [[ai.models]] table each.")
    rules: tuple[AiRule, ...] = setting(
        (),
        "Which studies go to which model, one [[ai.rules]] table each; a study goes to every model "
        "that any rule names for it.",
    )
