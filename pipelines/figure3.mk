# Figure 3: loss and accuracy while training: the method beside training from scratch, and its two
# halves alone, which show the method with and without subcloning. One picture for every network, and
# one table of the epochs that each needs to reach what scratch reaches in the end.
include pipelines/rules/all.mk

FIGURE3_ARMS := scratch subcloned wsab trans
LABEL_scratch := from scratch
LABEL_subcloned := subcloned only
LABEL_wsab := WSAB only

# $(call of_seeds,ARM,SIZE,FILE): a file of the runs of all seeds
of_seeds = $(foreach s,$(SEED_LIST),$(call run_dir,$(MAIN_SET),$1,$2,$(call share_of,$1))/$s/$3)
COMMA := ,
EMPTY :=
SPACE := $(EMPTY) $(EMPTY)
label_of = $(or $(LABEL_$1),Trans$(NETWORK_$2))
series_of = --series '$(label_of)=$(subst $(SPACE),$(COMMA),$(strip $(call of_seeds,$1,$2,metrics.tsv)))'

# $1 SIZE, $2 the picture without its ending
define figure3_rules
FIGURE3 += $2.png $2.svg $2.tsv
FIGURE3_ENDS += $2.ends.tsv
$2.png $2.svg $2.tsv $2.ends.tsv &: $(foreach a,$(FIGURE3_ARMS),$(call of_seeds,$a,$1,last.h5)) \
		$(BY) $(BIN)/plot-curves
	@mkdir -p $$(@D)
	$(Q)$(BIN)/plot-curves --where event=epoch --y 'task=training loss of the task' $L\
		--y 'valid_top1=validation top-1 (%)' $L\
		--title 'Figure 3, $(NETWORK_$1): scale $(SCALE), $(MAIN_SET), $(SEEDS) seed(s)' $L\
		$(foreach a,$(FIGURE3_ARMS),$(call series_of,$a,$1) $L)-o $2 > $2.ends.tsv.new
	@mv $2.ends.tsv.new $2.ends.tsv
endef

$(foreach z,$(FIGURE_SIZES),$(foreach a,$(FIGURE3_ARMS),$(foreach s,$(SEED_LIST),$(call \
	need_student,$(MAIN_SET),$a,$z,$(call share_of,$a),$s))))
$(foreach z,$(FIGURE_SIZES),$(eval $(call figure3_rules,$z,$R/figure3/figure3-$z)))

$R/figure3/figure3.md: $(FIGURE3_ENDS)
	$(Q)pipelines/make/epochs '$(SCALE)' '$(MAIN_SET)' '$(SEEDS)' \
		$(foreach z,$(FIGURE_SIZES),'$(NETWORK_$z)=$R/figure3/figure3-$z.ends.tsv') > $@.new
	@mv $@.new $@

.PHONY: figure3
figure3: $(FIGURE3) $R/figure3/figure3.md ## Figure 3: curves of every network, with and without the method (PNG, SVG)
	@cat $R/figure3/figure3.md
	@echo 'Pictures: $(filter %.svg,$(FIGURE3))'
