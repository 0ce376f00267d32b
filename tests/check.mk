# The slow and the strict checks: form, static analysis, sanitizers, valgrind, fuzzing.

C_FILES = $(shell git ls-files '*.c' '*.h')
ANALYSED = $(CPU_SRC) $(LIB_SRC) $(TOOL_SRC)
SHELL_FILES = $(shell git grep -lE '^\#!(/bin/(ba)?sh|/usr/bin/env bash)')

.PHONY: check check-format check-layers check-cppcheck check-tidy check-shell check-read check-warnings
check: check-format check-layers check-shell check-read check-cppcheck check-warnings check-tidy ## form, layers, static analysis

check-format:
	clang-format --dry-run -Werror $(C_FILES)
	@! for f in $(C_FILES); do expand $$f | sed -n "/^.\{101\}/s|^|$$f: over 100 columns: |p; \
		/^ \*[^ \/]/s|^|$$f: a broken comment: |p"; done | grep . >&2
check-layers:
	prove tests/layering.t
check-shell:
	shellcheck -x $(SHELL_FILES)
# Programs that nothing quick builds must still fit the headers.
check-read: $B/version.h
	@printf '%s\n' $(wildcard tests/fuzz/*.c tests/bench/*.c) | xargs -P$(shell nproc) -n1 $(CC) -fsyntax-only \
		$(STD) $(WARN) -Werror -fopenmp -I. -I$B -D_GNU_SOURCE $(PKG_CFLAGS)
check-cppcheck:
	cppcheck --quiet -j2 --enable=warning,performance --inline-suppr --error-exitcode=1 --std=c11 -I. \
		--suppressions-list=tests/cppcheck.txt --suppress=unmatchedSuppression $(ANALYSED)
check-warnings:
	@$(MAKE) --no-print-directory $(PARALLEL) CONFIG=strict DEVELOPER=1 all test-programs
	@$(MAKE) --no-print-directory $(PARALLEL) CONFIG=strict-clang DEVELOPER=1 all test-programs
check-tidy: $B/version.h
	@printf '%s\n' $(ANALYSED) | xargs -P$(shell nproc) -n4 bash -c \
		'clang-tidy --quiet "$$@" -- $(STD) -fopenmp -I. -I$B -D_GNU_SOURCE $(PKG_CFLAGS)' tidy 2>/dev/null

# The sources are read as for arm64 Linux, with the headers of this machine; nothing runs.
.PHONY: check-arm64
ARM64_CC ?= aarch64-linux-gnu-gcc
check-arm64: $B/version.h ## do the sources compile for arm64? (needs gcc-aarch64-linux-gnu)
	@printf '%s\n' $(ANALYSED) | xargs -P$(shell nproc) -n1 $(ARM64_CC) -fsyntax-only $(STD) $(WARN) -fopenmp \
		-I. -I$B -D_GNU_SOURCE $(PKG_CFLAGS) -idirafter /usr/include -idirafter /usr/include/$(MACHINE)-linux-gnu \
		$(BLAS_CFLAGS)

# Sanitizers stop at the first finding (CONFIG=asan); leaks count, but for those of libraries.
export LSAN_OPTIONS ?= suppressions=$(CURDIR)/tests/lsan.supp:print_suppressions=0
# Before gcc 14 and LLVM 17 LeakSanitizer takes blocks of dynamic thread storage for those of glibc 2.19
# and crashes on them (google/sanitizers issue 1322).
export ASAN_OPTIONS ?= intercept_tls_get_addr=0
.PHONY: test-cluster test-cluster-full
test-cluster: all ## `make CLUSTER=slurm table2` on a Slurm that the test starts
	prove -v --timer tests/cluster/stages.t tests/cluster/pipeline.t
test-cluster-full: all
	prove -v --timer tests/cluster/stages.t tests/cluster/ends.t
	SCALE=tiny prove -v --timer tests/cluster/pipeline.t

.PHONY: test-full test-long test-paper test-smoke test-asan test-asan-clang test-valgrind fuzz
test-full: test test-long test-smoke check test-asan test-asan-clang test-valgrind test-cluster-full ## sanitizers with both compilers, valgrind, fuzzing, slow cases
	@$(MAKE) --no-print-directory $(PARALLEL) fuzz
test-long: all $B/tests/bimamba_formula $B/tests/bimamba_formula_f64 # 200 kills, larger networks
	TM_LONG=1 prove -j2 --timer tests/train_signals.t $B/tests/bimamba_formula $B/tests/bimamba_formula_f64
test-paper: all ## one step of every run of SCALE=paper: half an hour of two cores, 12 GB of $TMPDIR
	TM_LONG=1 prove -v --timer tests/paper_scale.t
# Every pipeline with the real tools; what it trains stays under build/ and is taken up the next time.
test-smoke: all
	@$(MAKE) --no-print-directory SCALE=smoke SEEDS=1 table1 table2 table5 table6 figure1 figure3 \
		figure-weights figure-length sweep ablation ABLATION_PAIRED=1
test-asan:
	@$(MAKE) --no-print-directory CONFIG=asan test
test-asan-clang:
	@$(MAKE) --no-print-directory CONFIG=asan-clang test

# What valgrind sees beyond ASan is memory that was never set; the short list touches every folder.
# Gradients of whole networks walk them ten thousand times: too slow there.
VALGRIND_TESTS = $(filter-out $B/tests/model_gradients_f64,$(filter $(addprefix $B/tests/,method_% \
	data_% distill_% io_% import_% program_% plainmamba_% vim_mixer% vmamba_layer% model_%),$(TESTS)))
VALGRIND = valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite \
	--suppressions=tests/valgrind.supp
test-valgrind:
	@$(MAKE) --no-print-directory $(PARALLEL) CONFIG=debug test-programs
	@$(MAKE) --no-print-directory CONFIG=debug valgrind-run
.PHONY: valgrind-run
valgrind-run:
	OMP_NUM_THREADS=1 prove -j2 --timer --exec '$(VALGRIND)' $(VALGRIND_TESTS)
-include tests/fuzz/fuzz.mk
