"""Faces of other libraries over fastreg."""
