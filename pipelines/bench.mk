# How fast: training steps and images beside PyTorch's where it is installed (PYTHON=program).
.PHONY: bench
bench: bench-programs $(BIN)/bench-kernels ## how fast, beside PyTorch and Pillow where they are installed
	@tests/bench/run $(BIN) $B/tests/bench
