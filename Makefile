# transmamba: the one makefile. Settings, rules, then the pipelines. `make` alone prints help.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := help
$(if $(filter grouped-target,$(.FEATURES)),,$(error GNU Make 4.3 or newer is needed, this is $(MAKE_VERSION)))
-include config.mk

, := ,
VERSION := $(shell cat VERSION)
DESCRIBE := $(or $(if $(wildcard .git),$(shell git describe --always --dirty --tags 2>/dev/null)),$(VERSION))
PREFIX ?= $(HOME)/.local
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
CFLAGS ?= -O3 -g
CONFIG ?= release# release, debug, asan (address and undefined behaviour); -clang after any: by clang
B := build/$(CONFIG)
BIN := $(if $(filter release,$(CONFIG)),build/bin,$B/bin)
MACHINE := $(shell uname -m)
PARALLEL = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))
V ?= 0
Q := $(if $(filter 1,$V),,@)

ifneq ($(filter %-clang,$(CONFIG)),)
CC := clang
endif
ifneq ($(filter asan%,$(CONFIG)),)
CFLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
endif
ifneq ($(filter debug%,$(CONFIG)),)
CFLAGS := -O0 -g
endif

WARN := -Wall -Wextra $(if $(findstring clang,$(CC)),-Wno-unknown-warning-option -Wno-pass-failed) -Wno-format-truncation -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers $(if $(filter 1,$(DEVELOPER)),-Werror)
STD := -std=gnu11 -ffp-contract=fast -fno-math-errno -fno-trapping-math
# Libraries from elsewhere: HDF5_DIR=/folder with include and lib, or HDF5_PKG=another name for
# pkg-config; so for each.
LIBRARIES := HDF5 RANDOM123 PNG JPEG JANSSON OPENSSL XXHASH
LIBRARIES_FROM = CC='$(CC)' $(foreach n,$(LIBRARIES),$(foreach k,$n_DIR $n_PKG,$(if $($k),$k='$($k)')))
PKG_BOTH := $(subst |, | ,$(shell $(LIBRARIES_FROM) pipelines/make/libraries))
PKG_CFLAGS := $(filter -I% -D% -isystem% -pthread,$(PKG_BOTH))
PKG_LIBS := $(filter -L% -l% -Wl%,$(PKG_BOTH))
ALL_CFLAGS = $(STD) $(WARN) $(CFLAGS) -fopenmp -I. -D_GNU_SOURCE $(PKG_CFLAGS)
# Programs look beside themselves for libraries first, so that they can be moved (make bundle).
LOCAL_LIBS := -Wl$(,)--disable-new-dtags$(,)-rpath$(,)'$$ORIGIN/../lib'
ALL_LIBS = $(PKG_LIBS) -lm -ldl -lpthread

# The kernels and the CPU side of the op table are compiled once for each level of the instruction
# set; the level is chosen at run time. The double build, for tests, has the base level alone.
ISA := base
ifeq ($(MACHINE),x86_64)
ISA += v3 v4
endif
ISA_FLAGS_base :=
ISA_FLAGS_v3 := -march=x86-64-v3
ISA_FLAGS_v4 := -march=x86-64-v4 -mprefer-vector-width=512

CPU_SRC := $(wildcard kernels/*.c lib/program/cpu_*.c)
LIB_SRC := $(filter-out $(CPU_SRC) lib/cuda/%,$(wildcard lib/*/*.c))
TOOL_SRC := $(wildcard tools/*.c)
TOOLS := $(TOOL_SRC:tools/%.c=%)
TEST_SRC := $(filter-out tests/gpu_%,$(wildcard tests/*.c))
TEST_F64 := $(filter %_f64.c,$(TEST_SRC))
TESTS := $(TEST_SRC:tests/%.c=$B/tests/%)

LIB_OBJ := $(LIB_SRC:%.c=$B/f32/%.o)
F64_OBJ := $(LIB_SRC:%.c=$B/f64/%.o) $(CPU_SRC:%.c=$B/f64/%.o)
BASE_OBJ := $(CPU_SRC:%.c=$B/base/%.o)
LIB := $B/libtransmamba.a
LIB64 := $B/libtransmamba-f64.a

.PHONY: help all clean FORCE
help: ## this list
	@sed -n 's/^\([a-zA-Z0-9_.-]*\):.*## */  \1\t/p' $(filter-out %.d,$(MAKEFILE_LIST)) | sort -u | expand -t 22

all: $(TOOLS:%=$(BIN)/%) ## build every tool (CPU)

build $B $(BIN):
	@mkdir -p $@

# Written only when they change. These two lines run under `make -n` too (+), which would else take
# everything for out of date.
export FLAGS_NOW = $(CC) $(ALL_CFLAGS) $(ALL_LIBS)
export VERSION_NOW = \#define TM_VERSION "$(VERSION)"|\#define TM_DESCRIBE "$(DESCRIBE)"
$B/flags: FORCE
	+@echo "$$FLAGS_NOW" | pipelines/make/update $@
$B/version.h: FORCE
	+@echo "$$VERSION_NOW" | tr '|' '\n' | pipelines/make/update $@

define isa_rules
$(CPU_SRC:%.c=$B/$(1)/%.o): $B/$(1)/%.o: %.c $B/flags
	@mkdir -p $$(@D); echo "  CC $(1) $$<"
	$$(Q)$(CC) $$(ALL_CFLAGS) $(ISA_FLAGS_$(1)) -MMD -MP -c -o $$@ $$<
$B/cpu-$(1).o: $(CPU_SRC:%.c=$B/$(1)/%.o)
	$$(Q)ld -r -o $$@.tmp $$^
	$$(Q)objcopy --redefine-sym cpu_ops=cpu_ops_$(1) --keep-global-symbol=cpu_ops_$(1) $$@.tmp $$@
	@rm -f $$@.tmp
endef
$(foreach i,$(ISA),$(eval $(call isa_rules,$(i))))

$(LIB_OBJ): $B/f32/%.o: %.c $B/flags | $B/version.h
	@mkdir -p $(@D); echo "  CC $<"
	$(Q)$(CC) $(ALL_CFLAGS) -I$B $(ISA:%=-DISA_%) -MMD -MP -c -o $@ $<
$(F64_OBJ): $B/f64/%.o: %.c $B/flags | $B/version.h
	@mkdir -p $(@D); echo "  CC f64 $<"
	$(Q)$(CC) $(ALL_CFLAGS) -I$B -DREAL_DOUBLE -MMD -MP -c -o $@ $<
$(LIB): $(LIB_OBJ) $(ISA:%=$B/cpu-%.o) $(filter $B/base/kernels/%,$(BASE_OBJ))
	$(Q)rm -f $@; ar rcs $@ $^
$(LIB64): $(F64_OBJ)
	$(Q)rm -f $@; ar rcs $@ $^

$(TOOL_SRC:%.c=$B/%.o): $B/%.o: %.c $B/flags | $B/version.h
	@mkdir -p $(@D); echo "  CC $<"
	$(Q)$(CC) $(ALL_CFLAGS) -I$B -MMD -MP -c -o $@ $<
$(TOOLS:%=$(BIN)/%): $(BIN)/%: $B/tools/%.o $(LIB)
	@mkdir -p $(@D); echo "  LD $@"
	$(Q)$(CC) $(CFLAGS) -fopenmp $(LOCAL_LIBS) -o $@ $< $(LIB) $(ALL_LIBS) $(LIBS_$*)

$(filter-out $(TEST_F64:tests/%.c=$B/tests/%),$(TESTS)): $B/tests/%: tests/%.c $(LIB)
	@mkdir -p $(@D); echo "  TEST $<"
	$(Q)$(CC) $(ALL_CFLAGS) -I$B -MMD -MP -MF $@.d -o $@ $< $(LIB) $(ALL_LIBS)
$(TEST_F64:tests/%.c=$B/tests/%): $B/tests/%: tests/%.c $(LIB64)
	@mkdir -p $(@D); echo "  TEST $<"
	$(Q)$(CC) $(ALL_CFLAGS) -I$B -DREAL_DOUBLE -MMD -MP -MF $@.d -o $@ $< $(LIB64) $(ALL_LIBS)

BENCH := $(patsubst tests/bench/%.c,$B/tests/bench/%,$(wildcard tests/bench/*.c))
.PHONY: bench-programs
bench-programs: $(BENCH)
$(BENCH): $B/tests/bench/%: tests/bench/%.c $(LIB)
	@mkdir -p $(@D); echo "  BENCH $<"
	$(Q)$(CC) $(ALL_CFLAGS) -I$B -MMD -MP -MF $@.d -o $@ $< $(LIB) $(ALL_LIBS)
include tests/bench/bench.mk
include lib/cuda/cuda.mk

# They go first, so that two tests side by side end together.
LONG_TESTS := tests/train_owner.t tests/train_signals.t
.PHONY: test test-programs
test: ## quick tests (what CI runs)
	@$(MAKE) --no-print-directory $(PARALLEL) test-programs
	tests/run $(BIN) $(LONG_TESTS) $(filter-out $(LONG_TESTS),$(TESTS) $(wildcard tests/*.t))
test-programs: all $(TESTS)

clean: ## remove everything that was built
	rm -rf build

-include $(wildcard $B/*/*.d $B/*/*/*.d $B/*/*/*/*.d)
include pipelines/make/deps.mk
include pipelines/make/install.mk
include pipelines/make/bundle.mk
include tests/check.mk
include $(wildcard pipelines/*.mk)
