#!/bin/sh
# Stands in for Bazel's coverage tools. Coverage itself is made by `./dev coverage`, with gcov.
exit 0
