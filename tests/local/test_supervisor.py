"""The supervisor: real processes, a clock that the test moves."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.errors import ConfigError
from jobs.local.supervisor import ChildDiedError, Program, Supervisor

ROOT = Path(__file__).parents[2]
#: Says that it is ready, then ends by SIGTERM alone.
LIVES = "import os, signal; print('ready', os.getpid()); signal.pause()"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def supervisor(tmp_path: Path, clock: Callable[[], float]):
    with Supervisor(tmp_path / "logs", clock=clock) as made:
        yield made


def program(name: str, code: str, **more) -> Program:
    return Program(name=name, argv=(sys.executable, "-c", code), **more)


def pid_of(supervisor: Supervisor, name: str = "child") -> int:
    (state,) = [state for state in supervisor.children if state.program.name == name]
    assert state.group is not None
    return state.group


def kill(supervisor: Supervisor, signum: signal.Signals = signal.SIGKILL) -> None:
    """Kills the child and returns when it is dead, without burying it."""
    pid = pid_of(supervisor)
    os.kill(pid, signum)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def await_death(supervisor: Supervisor) -> None:
    os.waitid(os.P_PID, pid_of(supervisor), os.WEXITED | os.WNOWAIT)


def test_a_child_runs_with_the_environment_it_is_given(supervisor: Supervisor) -> None:
    code = "import os; print('ready', os.environ['VTON_X'], 'HIDREAM_TOKEN' in os.environ); input()"
    supervisor.start(program("child", code, env={"VTON_X": "seen"}))
    assert supervisor.ready_line("child", "ready", 60) == "ready seen False"


def test_a_child_keeps_its_own_program_name_and_pid(supervisor: Supervisor) -> None:
    supervisor.start(program("child", LIVES))
    assert supervisor.ready_line("child", "ready", 60) == f"ready {pid_of(supervisor)}"


def test_a_child_has_a_session_of_its_own(supervisor: Supervisor) -> None:
    supervisor.start(program("child", LIVES))
    supervisor.ready_line("child", "ready", 60)
    assert os.getsid(pid_of(supervisor)) == pid_of(supervisor)


def test_both_outputs_go_to_the_log_and_an_old_log_is_kept_once(
    tmp_path: Path, supervisor: Supervisor
) -> None:
    log = tmp_path / "logs" / "child.log"
    log.parent.mkdir()
    log.write_bytes(b"old\n" * 2_000_000)
    supervisor.start(program("child", f"import sys; print('to stderr', file=sys.stderr); {LIVES}"))
    supervisor.ready_line("child", "ready", 60)
    assert "to stderr" in log.read_text()
    assert log.with_name("child.log.1").stat().st_size == 8_000_000


def test_a_ready_line_of_an_earlier_run_does_not_count(tmp_path: Path, supervisor: Supervisor) -> None:
    log = tmp_path / "logs" / "child.log"
    log.parent.mkdir()
    log.write_text("ready long ago\n")
    supervisor.start(program("child", LIVES))
    assert supervisor.ready_line("child", "ready", 60) == f"ready {pid_of(supervisor)}"


def test_waiting_for_a_child_that_dies_first_tells_its_last_words(supervisor: Supervisor) -> None:
    supervisor.start(program("child", "import sys; sys.exit('port 8780 is taken')"))
    with pytest.raises(ChildDiedError, match=r"child died before .* \(exit code 1\): port 8780 is taken"):
        supervisor.ready_line("child", "ready", 60)


def test_waiting_for_a_child_that_says_nothing_ends(supervisor: Supervisor) -> None:
    supervisor.start(program("child", "import signal; signal.pause()"))
    with pytest.raises(ChildDiedError, match=r"not ready within 0\.1 s"):
        supervisor.ready_line("child", "ready", 0.1)


def test_a_program_that_does_not_exist_is_named(supervisor: Supervisor) -> None:
    supervisor.start(Program(name="child", argv=("/no/such/program",)))
    with pytest.raises(ChildDiedError, match="/no/such/program: No such file"):
        supervisor.ready_line("child", "ready", 60)


def test_two_children_of_one_name_are_refused(supervisor: Supervisor) -> None:
    supervisor.start(program("child", LIVES))
    with pytest.raises(ValueError, match="already started"):
        supervisor.start(program("child", LIVES))


def test_a_dead_child_is_started_again_after_its_delay(supervisor: Supervisor, clock: Clock) -> None:
    supervisor.start(program("child", LIVES))
    supervisor.ready_line("child", "ready", 60)
    clock.now = 10
    kill(supervisor)
    supervisor.poll()
    (state,) = supervisor.children
    assert (state.group, state.restarts, state.exit_code) == (None, 0, -9)
    clock.now = 10.1
    supervisor.poll()
    assert supervisor.children[0].group is None
    clock.now = 10.2
    supervisor.poll()
    assert supervisor.ready_line("child", "ready", 60) == f"ready {pid_of(supervisor)}"
    assert supervisor.children[0].restarts == 1


def test_the_delay_doubles_while_a_child_dies_young(supervisor: Supervisor, clock: Clock) -> None:
    supervisor.start(program("child", "raise SystemExit(3)"))
    for delay in (0.2, 0.4, 0.8, 1.6):
        await_death(supervisor)
        supervisor.poll()
        clock.now += delay - 0.01
        supervisor.poll()
        assert supervisor.children[0].group is None
        clock.now += 0.02
        supervisor.poll()
        assert supervisor.children[0].group is not None


def test_a_child_that_always_dies_young_ends_it_with_its_reason(supervisor: Supervisor, clock: Clock) -> None:
    supervisor.start(program("child", "import sys; sys.exit('limits.in_flight: must be 1 or more')"))
    for _ in range(4):
        await_death(supervisor)
        supervisor.poll()
        clock.now += 5
        supervisor.poll()
    await_death(supervisor)
    with pytest.raises(ChildDiedError, match=r"died 5 times .*\(exit code 1\): limits\.in_flight: must be"):
        supervisor.poll()


def test_a_child_that_lacks_a_setting_is_not_started_again(supervisor: Supervisor) -> None:
    code = "import sys; print('vton: no token: set HIDREAM_TOKEN'); print('shutting down'); sys.exit(7)"
    supervisor.start(program("child", code))
    await_death(supervisor)
    with pytest.raises(ConfigError, match=r"^child: no token: set HIDREAM_TOKEN$"):
        supervisor.poll()


def test_a_death_after_a_longer_life_is_not_counted_as_young(supervisor: Supervisor, clock: Clock) -> None:
    supervisor.start(program("child", "raise SystemExit(3)"))
    for _ in range(8):
        await_death(supervisor)
        clock.now += 3
        supervisor.poll()
        clock.now += 0.2
        supervisor.poll()
    assert supervisor.children[0].restarts == 8


def test_stop_asks_politely_first(tmp_path: Path, supervisor: Supervisor) -> None:
    code = (
        "import signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('put away'), sys.exit(0)))\n"
        "print('ready'); signal.pause()"
    )
    supervisor.start(program("child", code))
    supervisor.ready_line("child", "ready", 60)
    assert supervisor.stop(timeout_s=60) == ()
    assert "put away" in (tmp_path / "logs" / "child.log").read_text()
    assert supervisor.children == ()


def test_stop_kills_those_that_will_not_listen(supervisor: Supervisor) -> None:
    deaf = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {LIVES}"
    supervisor.start(program("deaf", deaf))
    supervisor.start(program("polite", LIVES))
    for name in ("deaf", "polite"):
        supervisor.ready_line(name, "ready", 60)
    pids = [state.group for state in supervisor.children]
    # On a busy machine the polite one may be late as well.
    assert "deaf" in supervisor.stop(timeout_s=0.2)
    for pid in pids:
        assert pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_the_workers_of_a_killed_master_are_ended_too(tmp_path: Path, supervisor: Supervisor) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    code = (
        "import os, signal, sys\n"
        f"pipe = os.open({str(fifo)!r}, os.O_WRONLY)\n"
        "if os.fork() == 0: print('ready')\n"
        "signal.pause()"
    )
    supervisor.start(program("child", code))
    with fifo.open() as held:
        supervisor.ready_line("child", "ready", 60)
        kill(supervisor)
        supervisor.poll()
        assert held.read() == ""


def test_a_command_that_is_killed_takes_its_children_with_it(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux tells a child of its parent's death")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    child = f"pipe = open({str(fifo)!r}, 'w'); {LIVES}"
    code = (
        "import signal, sys; from pathlib import Path; from jobs.local.supervisor import Program, Supervisor\n"
        "supervisor = Supervisor(Path(sys.argv[1]))\n"
        "supervisor.start(Program(name='child', argv=(sys.executable, '-c', sys.argv[2])))\n"
        "print(supervisor.ready_line('child', 'ready', 60), flush=True); signal.pause()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path), child], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as command:
        with fifo.open() as held:
            assert command.stdout is not None
            assert command.stdout.readline().startswith("ready")
            command.kill()
            assert held.read() == ""
        command.wait()
