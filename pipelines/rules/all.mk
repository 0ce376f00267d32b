# What every pipeline begins with: the scale, its folders, and the rules of runs. Included once.

ifndef PIPELINE_RULES
PIPELINE_RULES := 1

SCALE ?= tiny
SEEDS ?= 1
PRESET ?= mlp
DATA ?= data/raw
REDO ?= 0

ifeq ($(wildcard pipelines/scales/$(SCALE).mk),)
$(error SCALE=$(SCALE) is none of $(patsubst pipelines/scales/%.mk,%,$(wildcard pipelines/scales/*.mk)))
endif
ifeq ($(filter $(SEEDS),1 2 3 4 5 6 7 8 9 10),)
$(error SEEDS=$(SEEDS): a number from 1 to 10 is wanted)
endif
ifeq ($(filter $(PRESET),mlp matched),)
$(error PRESET=$(PRESET) is neither mlp nor matched)
endif

SEED_LIST := $(wordlist 1,$(SEEDS),0 1 2 3 4 5 6 7 8 9)
VARIANT := $(SCALE)$(if $(filter matched,$(PRESET)),-matched)
MLP_RATIO := $(if $(filter matched,$(PRESET)),0,4)

D := build/data/$(SCALE)#     data sets, packed
W := build/runs/$(VARIANT)#   networks
R := build/results/$(VARIANT)# rows, tables, plots

# Results depend on data, weights and settings, and on tools in order only; REDO=1: like on data.
BY := $(if $(filter 1,$(REDO)),,|)

# Every heavy command begins with $(RUN): its folder is made, its time is kept. LAUNCH is what a
# cluster puts before the command (pipelines/cluster/cluster.mk).
RUN = pipelines/make/stage $@$(if $(strip $(LAUNCH)), $(strip $(LAUNCH)))
export STAGE_TIMES := $R/times.tsv

# $L ends a line of a command within a template, so that `make -n` prints it as lines, too.
define NEWLINE


endef
TAB := $(subst x,,	x)
L := $(subst x,,\x)$(NEWLINE)$(TAB)$(TAB)

include pipelines/scales/$(SCALE).mk
# Small networks: as many runs at a time as there are cores (unless -j says otherwise), of
# SCALE_THREADS threads each. No number depends on it.
export STAGE_THREADS := $(SCALE_THREADS)
ifneq ($(and $(SCALE_THREADS),$(filter table% figure% sweep tune,$(MAKECMDGOALS))),)
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif
endif
include pipelines/cluster/cluster.mk
include pipelines/rules/data.mk
include pipelines/rules/runs.mk
include pipelines/rules/tables.mk
endif
