# Table 6: how much data. TransPMamba-T beside PMamba-T from scratch, at every share of the students'
# data. 1.3 is 1/1.3 = 76.9 %, what the released code draws where the paper says 75 %.
include pipelines/rules/all.mk

TABLE6_SHARES := 25 50 75 1.3 100
TABLE6_SET := $(or $(filter imagenet100,$(SCALE_SETS)),$(firstword $(SCALE_SETS)))
$(foreach p,$(TABLE6_SHARES),$(foreach a,trans scratch,\
	$(call student_row,table6,$a-t-$p,$(TABLE6_SET),$a,t,$p)))
$(eval $(call table_rules,table6))

.PHONY: table6
table6: $(TABLE_table6) ## Table 6: share of the data, with a scratch column
	$(call show_table,table6)
