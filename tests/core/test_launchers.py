"""The share of the cores that a process takes where a launcher has started several."""

import os

import pytest

import fastreg as fr
from fastreg import launchers

needs_threads = pytest.mark.skipif(fr.get_config()["threading"] == "none", reason="a build without threads")
needs_masks = pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity masks here")


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Return a function that sets up a machine: siblings of its processors, masks by process, variables."""
    for name in (*launchers.VARIABLES, "SLURM_NODEID", "SLURM_CPUS_ON_NODE"):
        monkeypatch.delenv(name, raising=False)

    def set_up(mine, launchers_own=None, processors=64, threads_per_core=1, **variables):
        n_cores = processors // max(threads_per_core, 1)
        for processor in range(processors if threads_per_core else 0):
            topology = tmp_path / f"cpu{processor}" / "topology"
            topology.mkdir(parents=True)
            siblings = range(processor % n_cores, processors, n_cores)
            (topology / "thread_siblings_list").write_text(",".join(map(str, siblings)) + "\n")
        monkeypatch.setattr(launchers, "TOPOLOGY", tmp_path)
        masks = {0: set(mine), os.getppid(): set(mine if launchers_own is None else launchers_own)}
        monkeypatch.setattr(os, "sched_getaffinity", masks.__getitem__, raising=False)
        for name, text in variables.items():
            monkeypatch.setenv(name, text)

    return set_up


# ------------------------------------------------------------------------------------------------------- how many processes
@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, ("", 1)),
        ({"LOCAL_WORLD_SIZE": "8"}, ("LOCAL_WORLD_SIZE", 8)),
        ({"OMPI_COMM_WORLD_LOCAL_SIZE": "4"}, ("OMPI_COMM_WORLD_LOCAL_SIZE", 4)),
        ({"MPI_LOCALNRANKS": "3"}, ("MPI_LOCALNRANKS", 3)),
        ({"PALS_LOCAL_SIZE": "12"}, ("PALS_LOCAL_SIZE", 12)),
        ({"SLURM_STEP_TASKS_PER_NODE": "4"}, ("SLURM_STEP_TASKS_PER_NODE", 4)),
        ({"SLURM_STEP_TASKS_PER_NODE": "4(x2)", "SLURM_NODEID": "1"}, ("SLURM_STEP_TASKS_PER_NODE", 4)),
        ({"SLURM_STEP_TASKS_PER_NODE": "5,4(x3),1", "SLURM_NODEID": "0"}, ("SLURM_STEP_TASKS_PER_NODE", 5)),
        ({"SLURM_STEP_TASKS_PER_NODE": "5,4(x3),1", "SLURM_NODEID": "3"}, ("SLURM_STEP_TASKS_PER_NODE", 4)),
        ({"SLURM_STEP_TASKS_PER_NODE": "5,4(x3),1", "SLURM_NODEID": "4"}, ("SLURM_STEP_TASKS_PER_NODE", 1)),
        ({"SLURM_NTASKS_PER_NODE": "4"}, ("", 1)),
        ({"LOCAL_WORLD_SIZE": "8", "SLURM_STEP_TASKS_PER_NODE": "1"}, ("LOCAL_WORLD_SIZE", 8)),
        ({"OMPI_COMM_WORLD_LOCAL_SIZE": "2", "SLURM_STEP_TASKS_PER_NODE": "one"}, ("OMPI_COMM_WORLD_LOCAL_SIZE", 2)),
        ({"LOCAL_WORLD_SIZE": "", "MPI_LOCALNRANKS": "3"}, ("MPI_LOCALNRANKS", 3)),
    ],
    ids=str,
)
def test_the_innermost_launcher_says_how_many_processes(machine, variables, expected):
    machine(range(4), **variables)
    assert launchers.local_processes() == expected


@pytest.mark.parametrize("variable", launchers.VARIABLES)
@pytest.mark.parametrize(
    "text", ["0", "-1", "two", "1.5", "+2", " 2", "²", "4(x2", "4,,2", "4(x0)", "0(x2)", "9" * 5000, f"2(x{10**9})"]
)
def test_a_wrong_number_names_its_variable(machine, num_threads, variable, text):
    machine(range(4), **{variable: text})
    before = fr.get_num_threads()
    with pytest.raises(ValueError, match=f"^{variable} must be .*, got "):
        num_threads("share")
    assert fr.get_num_threads() == before


def test_a_wrong_number_of_slurms_processors(machine):
    machine(range(4), SLURM_STEP_TASKS_PER_NODE="4", SLURM_CPUS_ON_NODE="many")
    with pytest.raises(ValueError, match=r"^SLURM_CPUS_ON_NODE must be a whole number of at least 1, got 'many'$"):
        launchers.share()


@pytest.mark.parametrize("node", ["3", "-1", "one", "9" * 5000])
def test_a_machine_that_slurm_does_not_list(machine, node):
    machine(range(4), SLURM_STEP_TASKS_PER_NODE="4(x3)", SLURM_NODEID=node)
    with pytest.raises(ValueError, match=r"^SLURM_NODEID must be a number below 3, the machines in .*=4\(x3\), got "):
        launchers.share()


# ------------------------------------------------------------------------------------------------------------ which cores
ALL = range(64)


@pytest.mark.parametrize(
    ("mine", "launchers_own", "threads_per_core", "variables", "threads"),
    [
        (ALL, ALL, 1, {}, 64),
        (ALL, ALL, 1, {"LOCAL_WORLD_SIZE": "4"}, 16),
        (ALL, ALL, 1, {"LOCAL_WORLD_SIZE": "5"}, 12),
        (ALL, ALL, 1, {"LOCAL_WORLD_SIZE": "100"}, 1),
        (ALL, ALL, 2, {"LOCAL_WORLD_SIZE": "4"}, 8),  # 32 cores
        (range(16), range(16), 1, {"LOCAL_WORLD_SIZE": "4"}, 4),  # a container of 16 cores
        (range(16), ALL, 1, {"LOCAL_WORLD_SIZE": "4"}, 16),  # each process has cores of its own
        (range(3), ALL, 1, {"LOCAL_WORLD_SIZE": "4"}, 3),
        (range(32), ALL, 1, {"OMPI_COMM_WORLD_LOCAL_SIZE": "4"}, 16),  # two processes on each half
        ([0, 32], ALL, 2, {"LOCAL_WORLD_SIZE": "32"}, 1),  # both threads of a core
        ([0, 1, 32, 33], range(8), 2, {"LOCAL_WORLD_SIZE": "2"}, 1),  # not the launcher's: what it says of itself is no help
        (range(16), ALL, 1, {}, 16),
        (range(16), ALL, 1, {"SLURM_STEP_TASKS_PER_NODE": "4", "SLURM_CPUS_ON_NODE": "16"}, 4),  # Slurm's daemon may use all
        (range(4), ALL, 1, {"SLURM_STEP_TASKS_PER_NODE": "4", "SLURM_CPUS_ON_NODE": "16"}, 4),
        (range(4), ALL, 1, {"SLURM_STEP_TASKS_PER_NODE": "4"}, 1),
        ([0, 1, 32, 33], ALL, 2, {"SLURM_STEP_TASKS_PER_NODE": "4", "SLURM_CPUS_ON_NODE": "16"}, 2),
        (range(16), range(16), 0, {"LOCAL_WORLD_SIZE": "4"}, 4),  # the system does not tell of cores
    ],
)
def test_the_share(machine, mine, launchers_own, threads_per_core, variables, threads):
    machine(mine, launchers_own, threads_per_core=threads_per_core, **variables)
    found, reason = launchers.share()
    assert found == threads
    assert ("processors" in reason) == (threads_per_core == 0)
    assert all(name == "SLURM_CPUS_ON_NODE" or f"{name} is {text}" in reason for name, text in variables.items())


def test_a_launcher_whose_mask_cannot_be_read(machine, monkeypatch):
    machine(range(8), ALL, LOCAL_WORLD_SIZE="4")

    def get(process):
        if process:
            raise PermissionError
        return set(range(8))

    monkeypatch.setattr(os, "sched_getaffinity", get)
    assert launchers.share()[0] == 2
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    assert launchers.share()[0] == 3


# ----------------------------------------------------------------------------------------------------------- as it is used
SHOWN = "import fastreg as fr; fr.set_num_threads('share'); print(fr.get_num_threads()); print(fr.get_config()['share'])"


@needs_threads
@needs_masks
@pytest.mark.parametrize("by", ["call", "environment"])
def test_the_share_wins_over_the_launchers_omp_num_threads(run_python, by):
    code = SHOWN if by == "call" else SHOWN.replace("fr.set_num_threads('share'); ", "")
    variables = {"OMP_NUM_THREADS": "1"} | ({"FASTREG_NUM_THREADS": "share"} if by == "environment" else {})
    cores, unit = launchers.count_cores(os.sched_getaffinity(0))
    done = run_python(code, **variables)
    assert done.stdout.splitlines() == [str(cores), f"{cores} of {cores} {unit}; no launcher"], done.stderr
    half = max(1, cores // 2)
    done = run_python(code, LOCAL_WORLD_SIZE="2", **variables)
    assert done.stdout.splitlines() == [str(half), f"{half} of {cores} {unit}; LOCAL_WORLD_SIZE is 2"], done.stderr


@needs_threads
@needs_masks
@pytest.mark.skipif(os.cpu_count() == 1, reason="needs two cores")
def test_a_process_on_a_core_of_its_own_takes_it_whole(run_python):
    """As does mpirun: the parent may use all cores, the child one. Divided again, it would be none."""
    pin = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    done = run_python(pin + SHOWN, OMPI_COMM_WORLD_LOCAL_SIZE="2")
    all_cores, unit = launchers.count_cores(os.sched_getaffinity(0))
    assert done.stdout.splitlines() == ["1", f"1 of 1, of {all_cores} for all, {unit}; OMPI_COMM_WORLD_LOCAL_SIZE is 2"], (
        done.stderr
    )


def test_a_wrong_variable_stops_the_import_where_the_environment_asks(run_python):
    done = run_python("import fastreg", FASTREG_NUM_THREADS="share", LOCAL_WORLD_SIZE="two")
    message = "ImportError: FASTREG_NUM_THREADS is share, and LOCAL_WORLD_SIZE must be a whole number of at least 1, got 'two'"
    assert done.returncode == 1 and done.stderr.strip().splitlines()[-1] == message
    assert run_python("import fastreg", LOCAL_WORLD_SIZE="two").returncode == 0


@needs_threads
def test_the_share_is_shown_until_a_number_is_set(machine, num_threads, capsys):
    machine(ALL, LOCAL_WORLD_SIZE="16")
    num_threads("share")
    assert fr.get_num_threads() == 4
    fr.show_config()
    assert capsys.readouterr().out.splitlines()[-1] == "share     4 of 64 cores; LOCAL_WORLD_SIZE is 16"
    num_threads(2)
    fr.show_config()
    assert capsys.readouterr().out.splitlines()[-1] == "share     not asked for"
    assert fr.get_config()["share"] is None


@pytest.mark.parametrize("word", ["Share", "all", ""])
def test_there_is_one_word(word):
    with pytest.raises(TypeError, match=r"^n must be a whole number of threads, got "):
        fr.set_num_threads(word)
