# `make bench`: ours beside its peers, in one run. PYTHON: an interpreter with torch, torchvision and
# timm; PLAINMAMBA, VIM, VMAMBA, VIDEOMAMBA, MAMBA: checkouts of github.com/ChenhongyiYang/PlainMamba,
# hustvl/Vim, MzeroMiko/VMamba, OpenGVLab/VideoMamba and state-spaces/mamba. What is missing is skipped.
BENCH_THREADS ?= 2
BENCH_ROUNDS ?= 3
.PHONY: bench
bench: bench-programs $(BIN)/bench-step ## speed beside PyTorch (PYTHON=, PLAINMAMBA=, VIM=, VMAMBA=, VIDEOMAMBA=, MAMBA=)
	@mkdir -p build/results
	@PYTHON='$(or $(PYTHON),python3)' PLAINMAMBA='$(PLAINMAMBA)' VIM='$(VIM)' VMAMBA='$(VMAMBA)' \
		VIDEOMAMBA='$(VIDEOMAMBA)' MAMBA='$(MAMBA)' THREADS=$(BENCH_THREADS) ROUNDS=$(BENCH_ROUNDS) \
		VERSION='$(DESCRIBE)' tests/bench/compare $(BIN) $B/tests/bench build/results/bench.tsv
.PHONY: bench-archive
bench-archive: $(BIN)/pack-images $(BIN)/make-shapes ## speed of packing 2 GB of JPEGs (JPEGS=folder), 5 GB of disk
	@mkdir -p build/results
	tests/bench/archive $(BIN) '$(JPEGS)' | tee build/results/archive.tsv
.PHONY: bench-stages
bench-stages: all ## seconds of making, importing and subcloning networks of the paper's sizes
	@mkdir -p build/results
	tests/bench/stages $(BIN) | tee build/results/stages.tsv
