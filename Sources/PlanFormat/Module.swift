// Sources of PlanFormat follow.
