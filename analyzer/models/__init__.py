"""Performance-class models: what is known of a snippet before it runs -> how much it will cost.

``classify.run_classify`` learns, ``predicting.predict_order`` applies. Nothing here is imported until an analysis or a
prediction is asked for, since scikit-learn and Optuna are slow to load.
"""
