# libtransmamba-cuda.so: everything of CUDA, loaded at run time. CPU targets never wait for it.

NVCC ?= $(firstword $(shell command -v nvcc 2>/dev/null) $(wildcard /usr/local/cuda/bin/nvcc))
CUDA_HOME ?= $(patsubst %/bin/nvcc,%,$(NVCC))
# Architectures: what this nvcc knows of our list, as machine code, and PTX of the highest.
CUDA_WISH := 70 80 86 89 90 100 120
CUDA_KNOWN = $(patsubst compute_%,%,$(shell $(NVCC) --list-gpu-arch 2>/dev/null))
CUDA_ARCHS ?= $(filter $(CUDA_WISH),$(CUDA_KNOWN))
CUDA_GENCODE = $(foreach a,$(CUDA_ARCHS),-gencode=arch=compute_$a$(,)code=sm_$a) \
	-gencode=arch=compute_$(lastword $(CUDA_ARCHS))$(,)code=compute_$(lastword $(CUDA_ARCHS))
NVCC_FLAGS = -O3 -std=c++17 -I. -Xcompiler -fPIC,-Wall,-fvisibility=hidden $(CUDA_GENCODE)

CU_SRC := $(wildcard kernels/*.cu)
CUDA_C := $(wildcard lib/cuda/*.c)
CUDA_OBJ := $(CU_SRC:%=$B/cuda/%.o) $(CUDA_C:%.c=$B/cuda/%.o)
CUDA_LIB := $B/libtransmamba-cuda.so

$B/cuda/flags: FORCE
	@mkdir -p $(@D); echo '$(NVCC_FLAGS)' | cmp -s - $@ || echo '$(NVCC_FLAGS)' > $@
$(CU_SRC:%=$B/cuda/%.o): $B/cuda/%.o: % $B/cuda/flags
	@mkdir -p $(@D); echo "  NVCC $<"
	$(Q)$(NVCC) $(NVCC_FLAGS) -MMD -MP -MF $(@:.o=.d) -MT $@ -c -o $@ $<
$(CUDA_C:%.c=$B/cuda/%.o): $B/cuda/%.o: %.c $B/flags
	@mkdir -p $(@D); echo "  CC cuda $<"
	$(Q)$(CC) $(STD) $(WARN) $(CFLAGS) -fPIC -fvisibility=hidden -I. -I$(CUDA_HOME)/include -D_GNU_SOURCE -MMD -MP -c -o $@ $<
$(CUDA_LIB): $(CUDA_OBJ)
	@echo "  LD $@"
	$(Q)$(NVCC) -shared -cudart shared $(CUDA_GENCODE) -o $@ $^ -lcublasLt
$(BIN)/libtransmamba-cuda.so: $(CUDA_LIB)
	@mkdir -p $(@D); cp $< $@.new; mv $@.new $@

.PHONY: cuda test-gpu
cuda: ## build the CUDA library (needs nvcc; CUDA_ARCHS="90" for one architecture)
	@test -n "$(NVCC)" || { echo "make cuda: nvcc was not found: install the CUDA Toolkit 12 or 13, or set NVCC=" >&2; exit 69; }
	@$(MAKE) --no-print-directory $(PARALLEL) $(BIN)/libtransmamba-cuda.so

GPU_TESTS := $(patsubst tests/%.c,$B/tests/%,$(wildcard tests/gpu_*.c))
$(GPU_TESTS): $B/tests/%: tests/%.c $(LIB)
	@mkdir -p $(@D); echo "  TEST $<"
	$(Q)$(CC) $(ALL_CFLAGS) -I$B -MMD -MP -MF $@.d -o $@ $< $(LIB) $(ALL_LIBS)
test-gpu: cuda all $(GPU_TESTS) ## tests of the CUDA side (on a machine with a GPU)
	TRANSMAMBA_CUDA=$(abspath $(BIN))/libtransmamba-cuda.so TM_BIN=$(abspath $(BIN)) prove --timer $(GPU_TESTS) $(wildcard tests/gpu_*.t)

.PHONY: bench-gpu curves-gpu input-gpu
bench-gpu: cuda all ## time training steps and ops on this GPU into build/results/gpu.tsv
	@mkdir -p build/results
	tests/bench/gpu $(BIN) | tee build/results/gpu.tsv
curves-gpu: cuda all ## loss curves in fp32, tf32 and bf16 on this GPU into build/results/gpu-curves.tsv
	@mkdir -p build/results
	tests/bench/curves $(BIN) | tee build/results/gpu-curves.tsv
input-gpu: cuda all $B/tests/bench/images ## does the input keep this GPU busy? into build/results/gpu-input.tsv
	@mkdir -p build/results
	tests/bench/input $(BIN) $B/tests/bench/images pipelines/scales/paper.conf \
		pipelines/scales/paper-student.conf | tee build/results/gpu-input.tsv
