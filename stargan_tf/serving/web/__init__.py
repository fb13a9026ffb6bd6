"""The page without a server: static files, and a model that runs in the visitor's browser by ONNX Runtime Web."""
