"""What a newcomer sees of the package: its names by topic, and its version."""

from importlib import metadata

import fastreg as fr


def test_help_names_by_topic_what_is_public_and_nothing_else():
    lists = [line.rpartition(":")[2] for line in fr.__doc__.splitlines() if line.startswith("    ")]
    named = [name.strip() for names in lists for name in names.split(",") if name.strip()]
    assert sorted(named) == sorted(fr.__all__)


def test_dir_shows_public_names_alone():
    assert {name for name in dir(fr) if not name.startswith("__")} == set(fr.__all__)
    assert "__version__" in dir(fr)


def test_the_version_is_that_of_the_installation():
    assert fr.__version__ == metadata.version("fastreg") == fr.get_config()["version"]


def test_the_installed_metadata_lead_to_source_documents_and_issues():
    urls = dict(entry.split(", ") for entry in metadata.metadata("fastreg").get_all("Project-URL"))
    source = "https://github.com/fastreg/fastreg"
    assert urls == {
        "Homepage": source,
        "Source": source,
        "Documentation": "https://fastreg.readthedocs.io",
        "Changelog": f"{source}/blob/main/CHANGELOG.md",
        "Issues": f"{source}/issues",
    }
