"""Other libraries' faces of fastreg, each a module that is imported by name: `fastreg.interop.torch`."""
