"""StarGAN v2 for TensorFlow 2 and Keras 3."""

from pathlib import Path

from setuptools import find_packages, setup

EXTRAS = {
    "gpu": ["tensorflow[and-cuda]>=2.21,<2.22"],
    "convert": ["torch>=2.6,<3"],
    "serving": ["tensorflow-serving-api>=2.21,<2.22", "requests>=2.32,<3"],
    "onnx": ["tf2onnx>=1.17,<2", "onnx>=1.20,<2", "onnxruntime>=1.23,<2"],
    "metrics": ["onnx>=1.20,<2", "onnxruntime>=1.23,<2"],
    "litert": ["ai-edge-litert>=2.1,<3"],
    "demo": ["gradio>=6,<7"],
    "video": ["imageio-ffmpeg>=0.6,<1"],
    # Installed by `make .venv/tfx`: TFX asks for other versions of some packages than the rest (docs/pipeline.md).
    "pipeline": ["tfx==1.21.0", "kfp>=2.16,<3", "tensorflow-serving-api>=2.21,<2.22"],
    "dev": [
        "pytest>=9,<10",
        "pytest-xdist>=3.8,<4",
        "psutil>=7,<8",
        "ruff>=0.17,<0.18",
        "selenium>=4.30,<5",
        "scipy>=1.16,<2",
        "scikit-learn>=1.7,<2",
    ],
}

setup(
    name="stargan-tf",
    version="0.1.0",
    description="StarGAN v2 (arXiv 1912.01865) for TensorFlow 2 and Keras 3, from images to a trained translator",
    long_description=(Path(__file__).parent / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11,<3.14",
    packages=find_packages(include=["stargan_tf*", "data_prep*", "pipeline*"]),
    package_data={name: ["templates/*"] for name in ("stargan_tf.serving", "data_prep.report", "pipeline.report")},
    install_requires=[
        "tensorflow>=2.21,<2.22",
        "keras>=3.15,<3.16",
        "tensorflow-datasets>=4.9.10,<5",
        "apache-beam>=2.77,<3",
        "tensorboard>=2.21,<2.22",
        "numpy>=2.1,<3",
        "protobuf>=6.31,<7",
        "tensorflow-metadata>=1.17,<2",
        "pillow>=12,<13",
        "opencv-python-headless>=5,<6",
        "simplejpeg>=1.9,<2",
        "google-crc32c>=1.7,<2",
        "fsspec>=2024.6",
        "tqdm>=4.67,<5",
        "pyyaml>=6,<7",
        "jsonargparse[signatures]>=4.53,<5",
    ],
    extras_require=EXTRAS,
    classifiers=[
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
