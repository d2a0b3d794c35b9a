# What the compiled kernels inline, one concern a file. docs/design.md tells how they fit together.
