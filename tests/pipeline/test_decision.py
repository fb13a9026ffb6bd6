import copy
import math

import pytest

from pipeline.decision import Limits, decide
from stargan_tf.base.errors import UserError
from stargan_tf.evaluation.results import MEASURES

TASKS = ("cat2dog", "dog2cat")
GOOD = {"fid": 20.0, "kid": 5.0, "lpips": 0.4, "precision": 0.7, "recall": 0.5, "density": 0.9, "coverage": 0.8}


def evaluation(**changes):
    """An evaluation in which all tasks are good; `latent__cat2dog__fid=30` changes one number, and its mean."""
    result = {"data": "d", "extractor": {"hash": "e"}, "distance": {"hash": "l"}, "settings": {"seed": 0}}
    result["known_factors"] = {"real": {"domain": 1.0}, "latent": {"domain": 0.95, "hue_spread": 80.0}}
    result["known_factors"]["reference"] = {"domain": 0.95, "hue": 12.0}
    for mode in ("latent", "reference"):
        result[mode] = {"tasks": {task: dict(GOOD) for task in TASKS}}
    for path, value in changes.items():
        mode, place, measure = path.split("__")
        (result["known_factors"][mode] if place == "factors" else result[mode]["tasks"][place])[measure] = value
    for mode in ("latent", "reference"):
        result[mode]["mean"] = {
            measure: sum(result[mode]["tasks"][task][measure] for task in TASKS) / 2 for measure in MEASURES
        }
    return result


def test_as_good_as_the_blessed_one_is_good_enough():
    assert decide(evaluation(), evaluation(), Limits()) == []
    assert decide(evaluation(), None, Limits()) == []


def test_better_in_any_way_is_no_reason():
    better = evaluation(latent__cat2dog__fid=1.0, reference__dog2cat__lpips=0.9, latent__factors__domain=1.0)
    limits = Limits(margin_overall={"fid": 0, "lpips": 0, "domain": 0}, margin_each_task={"fid": 0, "lpips": 0})
    assert decide(better, evaluation(), limits) == []
    assert decide(evaluation(), better, limits) != []


@pytest.mark.parametrize(
    ("changes", "limits", "reasons"),
    [
        # Worse by less than the margin of a task, and of their mean.
        ({"latent__cat2dog__fid": 23.9}, {}, []),
        # One task far off is a reason though the mean is not.
        (
            {"latent__cat2dog__lpips": 0.2},
            {"margin_overall": {}},
            ["latent-guided cat2dog: lpips is 0.2, worse than the 0.4 of the blessed model by more than 25%"],
        ),
        # The mean off by 12%, each task by less than its 25%.
        (
            {"reference__cat2dog__fid": 22.4, "reference__dog2cat__fid": 22.4},
            {},
            ["reference-guided, overall: fid is 22.4, worse than the 20 of the blessed model by more than 10%"],
        ),
        ({"reference__cat2dog__fid": 90.0}, {"modes": ["latent"]}, []),
        (
            {},
            {"overall": {"fid": 19.0, "coverage": 0.8}},
            [f"{mode}-guided, overall: fid is 20; it must be at most 19" for mode in ("latent", "reference")],
        ),
        (
            {"latent__dog2cat__recall": 0.1},
            {"each_task": {"recall": 0.2}},
            ["latent-guided dog2cat: recall is 0.1; it must be at least 0.2"],
        ),
        (
            {"latent__factors__domain": 0.6},
            {"overall": {"domain": 0.9}},
            ["latent-guided, overall: domain is 0.6; it must be at least 0.9"],
        ),
        (
            {"reference__factors__hue": 30.0},
            {"margin_overall": {"hue": 0.5}},
            ["reference-guided, overall: hue is 30, worse than the 12 of the blessed model by more than 50%"],
        ),
    ],
)
def test_worse_by_more_than_allowed_is_told(changes, limits, reasons):
    assert decide(evaluation(**changes), evaluation(), Limits(**limits)) == reasons


@pytest.mark.parametrize(
    ("changes", "untranslated", "reasons"),
    [
        ({}, 20.1, []),
        ({"latent__cat2dog__recall": 0.0}, 90.0, ["latent-guided cat2dog: recall is 0; the floor is above 0"]),
        (
            {"reference__dog2cat__precision": 0.0},
            90.0,
            ["reference-guided dog2cat: precision is 0; the floor is above 0"],
        ),
        (
            {"latent__cat2dog__fid": 699.0, "latent__dog2cat__fid": 90.0},
            90.0,
            [
                "latent-guided cat2dog: fid is 699; the floor is below 90, that of the sources themselves",
                "latent-guided dog2cat: fid is 90; the floor is below 90, that of the sources themselves",
            ],
        ),
    ],
)
def test_a_model_that_is_worse_than_none_is_below_the_floor(changes, untranslated, reasons):
    of_tasks = dict.fromkeys(TASKS, untranslated)
    found = decide(evaluation(**changes), None, Limits(), of_tasks)
    assert found == [f"{reason} (limits.floor)" for reason in reasons]
    assert decide(evaluation(**changes), None, Limits(floor=False), of_tasks) == []
    judged = decide(evaluation(**changes), None, Limits(modes=["latent"]), of_tasks)
    assert judged == [reason for reason in found if reason.startswith("latent")]


def test_a_measure_near_zero_that_turns_negative_is_judged_right():
    """The kernel distance is unbiased, so it may be below zero."""
    limits = Limits(margin_overall={"kid": 0.5}, margin_each_task={})
    blessed = evaluation(**{f"latent__{task}__kid": -0.2 for task in TASKS})
    assert decide(evaluation(**{f"latent__{task}__kid": -0.11 for task in TASKS}), blessed, limits) == []
    assert len(decide(evaluation(**{f"latent__{task}__kid": 0.0 for task in TASKS}), blessed, limits)) == 1


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_is_never_good(value):
    (reason,) = decide(evaluation(latent__cat2dog__kid=value), None, Limits())
    assert reason == f"latent-guided cat2dog: kid is {value}"
    broken = evaluation(latent__cat2dog__fid=value)
    assert decide(broken, evaluation(), Limits()) and decide(broken, broken, Limits())
    assert decide(evaluation(), broken, Limits()) == []


def test_limits_of_known_factors_need_them():
    bare = copy.deepcopy(evaluation())
    bare["known_factors"] = None
    assert decide(bare, None, Limits(overall={"domain": 0.9})) == [
        "there are limits of known factors, and the data has none"
    ]
    assert decide(bare, bare, Limits()) == []


def test_evaluations_that_cannot_be_compared_are_refused():
    other = evaluation()
    other["extractor"] = {"hash": "another"}
    with pytest.raises(ValueError, match="extractor differ"):
        decide(evaluation(), other, Limits())


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        ({"overall": {"ssim": 1}}, "overall has 'ssim'; the measures are fid, kid"),
        ({"each_task": {"domain": 1}}, "each_task has 'domain'; the measures are fid, kid"),
        ({"margin_overall": {"fid": -0.1}}, "margin_overall of fid is -0.1; it must be a share, at least 0"),
        ({"each_task": {"fid": math.nan}}, "each_task of fid is nan; it must be a number"),
        ({"modes": ["random"]}, "modes are ['random']; they must be latent, reference, or both"),
    ],
)
def test_a_mistake_in_the_limits_is_told(limits, sentence):
    with pytest.raises(UserError) as error:
        Limits(**limits).check()
    assert sentence in str(error.value)
