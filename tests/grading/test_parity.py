"""Over the wire every answer gets the verdict, and the sentence, that it gets in the notebook."""

import importlib
import socket
import threading
from contextlib import suppress
from types import SimpleNamespace

import pytest
from tests.exercises.proof import ROOT, answers, run

from attnoise.exercises import exercises_of
from attnoise.exercises.inputs import secret_inputs
from attnoise.grading.channel import Channel, Closed
from attnoise.grading.remote import Remote
from attnoise.grading.worker import Worker

CHAPTERS = sorted(p.stem.replace("-", "_") for p in (ROOT / "book").glob("*/*.ipynb"))


@pytest.fixture
def remote_of():
    """Return what makes an examiner's view of some answers, which live at the wire's other end."""
    workers = []

    def start(given):
        near, far = socket.socketpair()
        worker = Worker(Channel(far), SimpleNamespace(user_ns={}))
        worker.asked = given

        def work():
            with suppress(Closed):
                worker.serve()

        thread = threading.Thread(target=work)
        thread.start()
        workers.append((near, far, thread))
        return Remote(Channel(near), 60.0)

    yield start
    for near, far, thread in workers:
        near.close()
        thread.join()
        far.close()


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_wrong_answer_gets_the_same_sentence(chapter, remote_of):
    wrong = importlib.import_module(f"tests.exercises.test_{chapter}").WRONG
    module = importlib.import_module(f"attnoise.exercises.{chapter}")
    checks = {e.name: e.check for e in exercises_of(module)}
    given = {f"{name} {i}": w[0] for name, many in wrong.items() for i, w in enumerate(many)}
    remote = remote_of(given)
    for label, answer in given.items():
        check = checks[label.split()[0]]
        direct, far = check(answer), check(remote.answer(check=label))
        assert (far.passed, far.message) == (direct.passed, direct.message), label


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_books_own_functions_pass_with_public_and_secret_inputs(chapter, remote_of):
    (path,) = (ROOT / "book").glob(f"*/{chapter.replace('_', '-')}.ipynb")
    module = importlib.import_module(f"attnoise.exercises.{chapter}")
    masters = answers(path.relative_to(ROOT / "book").as_posix())
    given = {
        name: run(source, answer, {"check": module})
        for name, (source, answer) in masters.items()
        if f"def {answer}(" in source
    }
    remote = remote_of(given)
    for exercise in exercises_of(module):
        if exercise.name in given:
            answer = remote.answer(check=exercise.name)
            assert exercise.check(answer)
            with secret_inputs(1001):
                verdict = exercise.check(answer)
            assert verdict, f"{exercise.name}: {verdict}"
