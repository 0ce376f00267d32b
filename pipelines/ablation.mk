# Ablations of TransPMamba-T, three seeds, of which two comparisons were planned with ten paired seeds
# before any was run: adaptive against uniform weights of the layers, and directions apart against
# merged. The runs are the sweep's (`make sweep`); only the rows and their seeds are chosen here.
# `make claims` says what holds.
include pipelines/rules/all.mk

ABLATION_SEEDS := $(if $(filter file,$(origin SEEDS)),3,$(SEEDS))
ABLATION_PAIRED ?= 10
seeds_to = $(wordlist 1,$1,0 1 2 3 4 5 6 7 8 9)

ABLATION_TEN := trans sweep-adapt_mode-uniform sweep-directions-merged
# No subcloning; units at random; no calibration stage; two layers in the map; the tap; the loss.
# ABLATION_SKIP (scales/) leaves out what a scale cannot do.
ABLATION_THREE := $(filter-out $(ABLATION_SKIP),scratch wsab sweep-score-random sweep-calib-joint \
	sweep-calib_form-mlp2 sweep-tap-branch rc)

# $(call ablation_row,ARM,SIZE)
ablation_row = $(call student_row,ablation,$1-$2,$(MAIN_SET),$1,$2,$(call share_of,$1))
SEED_LIST_ablation := $(call seeds_to,$(ABLATION_PAIRED))
$(foreach a,$(ABLATION_TEN),$(call ablation_row,$a,t))
SEED_LIST_ablation := $(call seeds_to,$(ABLATION_SEEDS))
$(foreach a,$(ABLATION_THREE),$(call ablation_row,$a,t))
$(foreach a,scratch trans,$(call ablation_row,$a,t-mlp0))
$(eval $(call table_rules,ablation))

.PHONY: ablation
ablation: $(TABLE_ablation) ## TransPMamba-T without each of its parts (SEEDS, ABLATION_PAIRED)
	$(call show_table,ablation)
