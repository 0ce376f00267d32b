# Fuzz targets: each tests/fuzz/<target>.c has LLVMFuzzerTestOneInput and is run for FUZZ_SECONDS on
# what lies in tests/fuzz/corpus/<target>/ (seeds, and odd files found before). Inputs found on the
# way stay in build/fuzz/corpus/, so that the next run goes on; failures are put in build/fuzz/found/.
FUZZ_SECONDS ?= 60
FUZZ ?= $(sort $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c)))
FUZZ_CC ?= clang
FUZZ_FLAGS := $(STD) -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined -I. -D_GNU_SOURCE $(PKG_CFLAGS)
# What reads from outside; the rest of lib is not linked.
FUZZ_SRC := $(filter lib/base/% lib/io/% lib/data/%,$(LIB_SRC))
FUZZ_OBJ := $(FUZZ_SRC:%.c=build/fuzz/obj/%.o)
# Checksums would hide what lies behind them: lib/io/zip.c, lib/io/tar_header.c and
# lib/data/decode_png.c leave them out under this name.
FUZZ_FLAGS += -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
# More seeds than tests/fuzz/corpus holds.
FUZZ_SEEDS_safetensors := tests/golden/checkpoints
FUZZ_SEEDS_pth := tests/golden/checkpoints
FUZZ_SEEDS_json := tests/golden/checkpoints
FUZZ_SEEDS_image_decode := tests/golden/images
# bytes of memory and of an input, seconds for one input
FUZZ_LIMITS ?= -rss_limit_mb=2048 -malloc_limit_mb=1024 -timeout=30
# HDF5 keeps memory after errors of its own, which is not ours to mend.
FUZZ_RUN_h5_read := -detect_leaks=0 -timeout=120 -rss_limit_mb=4096

.PHONY: fuzz fuzz-build $(FUZZ:%=fuzz-%)
fuzz: $(FUZZ:%=fuzz-%) ## fuzz every reader of files for FUZZ_SECONDS each (needs clang)
fuzz-build: $(FUZZ:%=build/fuzz/%)

$(FUZZ_OBJ): build/fuzz/obj/%.o: %.c
	@mkdir -p $(@D); echo "  FUZZ $<"
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<
build/fuzz/libfuzzed.a: $(FUZZ_OBJ)
	$(Q)rm -f $@; ar rcs $@ $^
$(FUZZ:%=build/fuzz/%): build/fuzz/%: tests/fuzz/%.c build/fuzz/libfuzzed.a
	@echo "  FUZZ $<"
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer -MMD -MP -MF $@.d -o $@ $< build/fuzz/libfuzzed.a \
		$(PKG_LIBS) -lm -lpthread

$(FUZZ:%=fuzz-%): fuzz-%: build/fuzz/%
	@mkdir -p build/fuzz/corpus/$* build/fuzz/found
	@echo "fuzz $*: $(FUZZ_SECONDS) s"
	$(Q)log=build/fuzz/found/$*.log; \
	if ! ASAN_OPTIONS=allocator_may_return_null=1 build/fuzz/$* -max_total_time=$(FUZZ_SECONDS) \
		$(FUZZ_LIMITS) $(FUZZ_RUN_$*) -print_final_stats=1 -verbosity=1 -artifact_prefix=build/fuzz/found/$*- \
		build/fuzz/corpus/$* $(wildcard tests/fuzz/corpus/$*) $(FUZZ_SEEDS_$*) >$$log 2>&1; then \
		tail -40 $$log; echo "fuzz $*: FAILED: see $$log"; exit 1; \
	fi; \
	sed -n 's/^stat::number_of_executed_units: */fuzz $*: executions /p' $$log

-include $(wildcard build/fuzz/*.d build/fuzz/obj/*/*/*.d)
