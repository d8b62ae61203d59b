"""Models that run in processes of their own beside the worker: Python functions and ONNX files."""
