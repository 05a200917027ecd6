"""The library's models behind one small interface."""
