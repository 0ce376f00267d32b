# Table 5: what is distilled. TransPMamba-T, and TransViM-T where the scale names it, by features (four
# distances), logits and WSAB, each from fresh weights and from subcloned ones; with units chosen at
# random; and the feature distance that does best on the validation set, so that WSAB is not measured
# against a weak one. It is chosen by the fresh runs, and shown fresh and subcloned.
include pipelines/rules/all.mk

TABLE5_LOSSES := rc cos l1 l2
TABLE5_ARMS := scratch subcloned $(TABLE5_LOSSES:%=feature-%) logits wsab \
	$(TABLE5_LOSSES:%=feature-%-subcloned) logits-subcloned trans random
TABLE5_SIZES ?= t $(filter vim-t,$(OTHER_SIZES))
$(foreach z,$(TABLE5_SIZES),$(foreach a,$(TABLE5_ARMS),\
	$(call student_row,table5,$a-$z,$(MAIN_SET),$a,$z,$(call share_of,$a))))

# $(call fresh_runs,LOSS,SIZE): the runs of all seeds
fresh_runs = $(foreach s,$(SEED_LIST),$(call run_dir,$(MAIN_SET),feature-$1,$2,$(SHARE_trans))/$s)

# $1 SIZE: which distance is best
define best_rules
TABLE5_BEST += $R/table5/best-feature-$1
$R/table5/best-feature-$1: $(foreach l,$(TABLE5_LOSSES),$(addsuffix /last.h5,$(call fresh_runs,$l,$1)))
	@mkdir -p $$(@D)
	$(Q)pipelines/make/best valid_top1 $(foreach l,$(TABLE5_LOSSES),$L\
		'$l=$(strip $(addsuffix /metrics.tsv,$(call fresh_runs,$l,$1)))') > $$@.new
	@mv $$@.new $$@
endef

# $1 SIZE, $2 SEED, $3 nothing or -subcloned: the row of the distance that is best, by another name
define best_row_rules
ROWS_table5 += $R/table5/rows/feature-best$3-$1.$(MAIN_SET).$2.tsv
$R/table5/rows/feature-best$3-$1.$(MAIN_SET).$2.tsv: $R/table5/best-feature-$1 \
		$(TABLE5_LOSSES:%=$R/table5/rows/feature-%$3-$1.$(MAIN_SET).$2.tsv)
	@sed '2s/^[^\t]*/feature-best$3-$1/' \
		$R/table5/rows/feature-$$$$(cut -f1 $$<)$3-$1.$(MAIN_SET).$2.tsv > $$@.new
	@mv $$@.new $$@
endef
$(foreach z,$(TABLE5_SIZES),$(eval $(call best_rules,$z))\
	$(foreach s,$(SEED_LIST),$(eval $(call best_row_rules,$z,$s,))$(eval \
	$(call best_row_rules,$z,$s,-subcloned))))

# Read when the table is made: the choices are there by then.
best_note = $(foreach z,$(TABLE5_SIZES),$(shell awk -F'\t' -v z=$z \
	'{ printf "%s: %s (%s); ", z, $$1, $$2 }' $R/table5/best-feature-$z 2> /dev/null))
SCALE_NOTE_table5 = $(SCALE_NOTE) Best feature distance on the validation set, by size (top-1 of the \
	last epoch of the fresh runs): $(best_note)
$(eval $(call table_rules,table5))

.PHONY: table5
table5: $(TABLE_table5) ## Table 5: what is distilled, each fresh and subcloned
	$(call show_table,table5)
