# The sweep: what each choice that the paper leaves open, or that we made, is worth. TransPMamba-T with
# one factor changed at a time, three seeds unless SEEDS= says otherwise. A value is a file
# recipes/sweep/FACTOR-VALUE.conf and a line in tables/sweep.conf; SWEEP_SKIP (scales/) leaves some out.
include pipelines/rules/all.mk

SWEEP_SEEDS := $(if $(filter file,$(origin SEEDS)),3,$(SEEDS))
SEED_LIST_sweep := $(wordlist 1,$(SWEEP_SEEDS),0 1 2 3 4 5 6 7 8 9)
factor_of = $(firstword $(subst -, ,$1))

SWEEP_NETWORKS := $(filter-out $(SWEEP_SKIP),$(T_NETWORKS))
FACTOR_t-mlp0 := mlp_ratio
FACTOR_t-mlp2 := mlp_ratio
FACTOR_t-zoh := bbar

# $(call sweep_row,ARM,SIZE,FACTOR)
sweep_row = $(call student_row,sweep,$1-$2,$(MAIN_SET),$1,$2,$(call share_of,$1),factor=$3)
# The hold goes first: its plain scan takes as long as twenty other runs.
$(foreach z,$(SWEEP_NETWORKS),$(foreach a,trans $(if $(filter t-zoh,$z),,scratch),\
	$(call sweep_row,$a,$z,$(FACTOR_$z))))
$(call sweep_row,trans,t,default)$(call sweep_row,scratch,t,scratch)$(call sweep_row,wsab,t,subcloning)
$(foreach n,$(SWEEP_NAMES),$(call sweep_row,sweep-$n,t,$(call factor_of,$n)))
$(eval $(call table_rules,sweep))

$R/sweep/sweep.png $R/sweep/sweep.svg &: $R/sweep/sweep.tsv $(BY) $(BIN)/plot-chart
	$(Q)$(BIN)/plot-chart --kind points --label setting --group factor --base 'TransPMamba-T as it is' \
		--title 'One setting changed: scale $(SCALE), $(MAIN_SET), $(SWEEP_SEEDS) seed(s)' \
		--y 'top-1=top-1 (%)' --error 'top-1 sd' -o $R/sweep/sweep $<

.PHONY: sweep
sweep: $(TABLE_sweep) $R/sweep/sweep.svg ## one factor of the method at a time, three seeds (SEEDS=), table and chart
	$(call show_table,sweep)
