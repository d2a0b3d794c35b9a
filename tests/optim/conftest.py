"""Every test of the update rules has a graph of its own."""

import pytest

import fastreg as fr


@pytest.fixture(autouse=True)
def graph():
    with fr.Graph().as_default() as graph:
        yield graph
