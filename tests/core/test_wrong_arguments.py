"""Every public call with every kind of wrong argument: an error that names the argument, and nothing has changed."""

import inspect
import re

import pytest
from public_calls import CALLS, DOCUMENTED, LEGAL, NOT_CALLED, SAYS, WRONG, World, argument_name, decided, settable

import fastreg as fr


@pytest.fixture(autouse=True)
def _threads(num_threads):
    """What is tried may set them."""


@pytest.mark.filterwarnings("ignore::Warning")
@pytest.mark.parametrize("call", CALLS)
def test_a_wrong_argument_is_refused_by_its_name_and_changes_nothing(call):
    failures = []
    for argument in CALLS[call](World())[1]:
        legal, name = decided(LEGAL, call, argument, frozenset()), argument_name(call, argument)
        said = f"(?i)\\b({name}|{decided(SAYS, call, argument, name)})\\b"
        for kind, make in WRONG.items():
            problem = _problem_with(call, argument, make, kind in legal, said)
            if problem:
                failures.append(f"{argument}={kind}: {problem}")
    assert not failures, "\n".join(failures)


def _problem_with(call, argument, make, is_legal, said):
    world = World()
    function, arguments = CALLS[call](world)
    arguments[argument] = make(world)
    before = world.state()
    try:
        function(**arguments)
    except (TypeError, ValueError, *DOCUMENTED.get(call.rpartition(".")[2], ())) as error:
        if is_legal:
            return f"refused, and LEGAL says that it may be passed: {error!r}"
        if not re.search(said, str(error)) or len(str(error).split()) < 4:
            return f"the message does not name the argument: {error!r}"
        return "something was changed" if world.state() != before else None
    except Exception as error:
        return f"neither TypeError nor ValueError: {error!r}"
    return None if is_legal else "taken, and LEGAL does not say so"


@pytest.mark.parametrize("call", CALLS)
def test_the_calls_are_valid(call):
    function, arguments = CALLS[call](World())
    function(**arguments)


# ----------------------------------------------------------------------------------------------- nothing public is left out
FACES = {"": fr, "optim.": fr.optim, "optim.schedules.": fr.optim.schedules, "constraints.": fr.constraints}


def public():
    """Yield the name, the class or None, and the name in the class of each public callable and each attribute that can be set."""
    for prefix, face in FACES.items():
        for name in face.__all__:
            found = getattr(face, name)
            if not inspect.isclass(found):
                if callable(found):
                    yield prefix + name, None, name
                continue
            if found.__name__ != name and found.__module__.startswith("fastreg.constraints"):
                continue  # another name of the class
            yield f"{prefix}{name}()", None, name
            for member in dir(found):
                shown = not member.startswith("_") or member in ("__call__", "__getitem__", "__setitem__")
                if shown and callable(getattr(found, member)):
                    yield f"{prefix}{name}.{member}", found, member
            for member in settable(found):
                yield f"{prefix}{name}.{member} =", found, member


def test_every_public_callable_has_a_valid_call():
    listed = {name: (kind, member) for name, kind, member in public()}
    covered = {id(inspect.getattr_static(kind, member)) for name, (kind, member) in listed.items() if kind and name in CALLS}
    lacking = [
        name
        for name, (kind, member) in listed.items()
        if name not in CALLS
        and not (kind and id(inspect.getattr_static(kind, member)) in covered)
        and not any(re.fullmatch(pattern, name) for pattern, _ in NOT_CALLED)
    ]
    assert lacking == []


def test_the_tables_name_nothing_that_is_not_there():
    said = [f"{call}: {argument_name(call, argument)}" for call in CALLS for argument in CALLS[call](World())[1]]
    assert [pattern for table in (LEGAL, SAYS) for pattern, _ in table if not any(re.fullmatch(pattern, x) for x in said)] == []
    names = [name for name, _, _ in public()]
    assert [pattern for pattern, _ in NOT_CALLED if not any(re.fullmatch(pattern, name) for name in names)] == []
