"""Every penalty and every update rule that fastreg offers has its twin, its golden row and its line in the docs."""

import re
from pathlib import Path

import numpy as np
import pytest
from constraints import KINDS
from digests import DIGESTS
from kernel_calls import LINES, PROFILES, RULES, compiled_rule, penalty_classes
from optimizers import VARIANTS, make, rule_of
from regularizers import PENALTIES, WITH_ARRAYS
from twin import lines, penalties, rules

import fastreg as fr

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *(page for page in (ROOT / "docs").glob("*.md") if page.stem != "benchmarks")]
WORDS = {word for page in PAGES for word in re.findall(r"\w+", page.read_text())}
FACTORIES = [name for name in fr.__all__ if name.endswith("_regularizer") or name.startswith("from_")]
NO_RULES = ("Optimizer", "DecoupledWeightDecay", "StochasticRounding")
OPTIMIZERS = [name for name in fr.optim.__all__ if name[0].isupper() and name not in NO_RULES]
SCHEDULES = [name for name in fr.optim.schedules.__all__ if name[0].islower()]
CONSTRAINTS = [name for name in fr.constraints.__all__ if name[0].islower()]
DIGESTED = frozenset().union(*(row.covers for row in DIGESTS.values() if row.golden))


def test_the_twin_has_the_compiled_profiles_and_no_others():
    assert sorted(penalties.PROFILES) == sorted(PROFILES)


def test_the_twin_has_the_compiled_penalties_of_lines_and_no_others():
    assert sorted(lines.LINES) == sorted(LINES)


def test_the_twin_has_the_public_rules_and_no_others():
    assert sorted(rules.RULES) == sorted(OPTIMIZERS)


def test_the_compiled_rules_are_those_behind_the_public_ones():
    assert {compiled_rule(make(variant)) for variant in VARIANTS} == set(RULES)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_compiled_traits_are_the_twins(name):
    twin = rules.RULES[name]
    for variant in (variant for variant in VARIANTS if rule_of(variant) == name):
        traits = RULES[compiled_rule(make(variant))]
        n_slots = len(twin.slots({**twin.defaults, **VARIANTS[variant]}))
        assert (traits.n_slots, traits.takes_l1, traits.takes_prox) == (n_slots, twin.takes_l1, twin.takes_prox)


def test_every_class_of_regularizers_is_compared_with_a_twin():
    compared = {type(regularizer) for regularizer, _ in PENALTIES.values()}
    compared |= {type(make_pair(np.ones(3))[0]) for make_pair in WITH_ARRAYS.values()}
    assert penalty_classes() - compared == set()


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_every_constraint_is_compared_with_a_twin(name):
    assert name in KINDS


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_rule_is_compared_with_its_twin(name):
    assert name in map(rule_of, VARIANTS)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_rule_has_the_slots_of_its_twin(name):
    twin = rules.RULES[rule_of(name)]
    assert make(name).get_slot_names() == list(twin.slots({**twin.defaults, **VARIANTS[name]}))


@pytest.mark.parametrize("name", [*PROFILES, *LINES, *OPTIMIZERS])
def test_every_profile_and_rule_has_a_golden_row(name):
    assert name in DIGESTED


@pytest.mark.parametrize("name", [*FACTORIES, *CONSTRAINTS, *OPTIMIZERS, *SCHEDULES])
def test_every_factory_constraint_rule_and_schedule_is_named_in_the_docs(name):
    assert name in WORDS, f"none of {[page.name for page in PAGES]} names {name}"


def test_the_twin_knows_nothing_of_fastreg(run_python):
    done = run_python(
        "import pkgutil, sys, importlib, twin\n"
        "names = [module.name for module in pkgutil.iter_modules(twin.__path__, 'twin.')]\n"
        "for name in names: importlib.import_module(name)\n"
        "print(len(names) > 5, any(name.partition('.')[0] == 'fastreg' for name in sys.modules))"
    )
    assert done.stdout.split() == ["True", "False"], done.stderr
