import analysis
from analysis.measures.accuracy import Setting

FULL = Setting(1.0, 1.0)


def test_front_is_what_nothing_beats(rich_data):
    for trade in analysis.trades(rich_data):
        for point in trade.points:
            beaten = any(
                other.clean >= point.clean
                and other.robust >= point.robust
                and (other.clean, other.robust) != (point.clean, point.robust)
                for other in trade.points
            )
            assert point.front is not beaten


def test_front_of_resampled_seeds(rich_data):
    trade = next(trade for trade in analysis.trades(rich_data) if (trade.setting, trade.attack.test) == (FULL, "fgsm"))
    shares = {point.regularizer: point.front_share for point in trade.points}
    # adadecay is the most accurate and residual-smoothing the most robust in every resample.
    assert shares["adadecay"] == shares["residual-smoothing"] == 1
    assert shares["weight-decay"] < 0.05
