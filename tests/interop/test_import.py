"""What importing another library's face does, whether that library is there or not."""


def test_without_torch_the_error_names_the_extra(run_python):
    done = run_python(
        "import sys; sys.modules['torch'] = None\n"
        "import fastreg, fastreg.interop\n"
        "try: import fastreg.interop.torch\n"
        "except ImportError as error: print(error)"
    )
    assert "fastreg[torch]" in done.stdout, done.stderr


def test_fastreg_alone_imports_no_other_library(run_python):
    done = run_python("import sys, fastreg, fastreg.interop; print(sorted({'torch', 'ml_dtypes'} & sys.modules.keys()))")
    assert done.stdout.strip() == "[]", done.stderr
