"""Line plots as SVG, in as few bytes as do."""
import math
from xml.sax.saxutils import escape

_COLORS = ["#1a7f5a", "#8a94a6", "#c77d1e", "#3f6fb5", "#a03a6a", "#555"]
_WIDTH, _HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 74, 150, 40, 52


def svg(title, x_label, y_label, series, log_x=False, log_y=False, **_):
    """The plot of {label: [(x, y), ...]}; the first series is ours. Linear axes start at 0."""
    points = [p for line in series.values() for p in line]
    x_axis = _Axis([x for x, _ in points], log_x, _LEFT, _WIDTH - _RIGHT)
    y_axis = _Axis([y for _, y in points], log_y, _HEIGHT - _BOTTOM, _TOP)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
           'font-family="sans-serif" font-size="11" fill="#333">',
           '<rect width="100%" height="100%" fill="#fff"/>',
           f'<text x="{_LEFT}" y="22" font-size="14" font-weight="bold">{escape(title)}</text>']
    for tick in y_axis.ticks():
        y = y_axis(tick)
        out.append(f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="#e4e4e4"/>'
                   f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_short(tick)}</text>')
    for tick in x_axis.ticks():
        x = x_axis(tick)
        out.append(f'<path d="M{x:.1f} {_HEIGHT - _BOTTOM}v4" stroke="#999"/>'
                   f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 17}" text-anchor="middle">'
                   f'{_short(tick)}</text>')
    out.append(f'<path d="M{_LEFT} {_TOP}V{_HEIGHT - _BOTTOM}H{_WIDTH - _RIGHT}" fill="none" '
               'stroke="#999"/>')
    out.append(f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 14}" '
               f'text-anchor="middle">{escape(x_label)}</text>')
    out.append(f'<text transform="translate(16 {(_TOP + _HEIGHT - _BOTTOM) / 2}) rotate(-90)" '
               f'text-anchor="middle">{escape(y_label)}</text>')
    for index, (label, line) in enumerate(series.items()):
        color = _COLORS[index % len(_COLORS)]
        path = "L".join(f"{x_axis(x):.1f} {y_axis(y):.1f}" for x, y in sorted(line))
        out.append(f'<path d="M{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        out += [f'<circle cx="{x_axis(x):.1f}" cy="{y_axis(y):.1f}" r="3" fill="{color}"/>'
                for x, y in (line if len(line) <= 40 else [])]
        y = _TOP + 8 + 18 * index
        out.append(f'<path d="M{_WIDTH - _RIGHT + 12} {y}h18" stroke="{color}" stroke-width="2"/>'
                   f'<text x="{_WIDTH - _RIGHT + 36}" y="{y + 4}">{escape(label)}</text>')
    return "\n".join(out) + "\n</svg>\n"


class _Axis:
    """From a value to a place."""

    def __init__(self, values, log, start, end):
        self._log, self._start, self._end = log, start, end
        if log:
            low, high = min(v for v in values if v > 0), max(values)
            self._low, self._high = math.floor(math.log10(low)), math.ceil(math.log10(high))
            if self._low == self._high:
                self._high += 1
        else:
            self._low, self._high = 0, (max(values) or 1) * 1.08

    def __call__(self, value):
        if self._log:
            value = math.log10(max(value, 10.0**self._low))
        part = (value - self._low) / (self._high - self._low)
        return self._start + part * (self._end - self._start)

    def ticks(self):
        if self._log:
            return [10.0**e for e in range(self._low, self._high + 1)]
        rough = self._high / 5
        magnitude = 10 ** math.floor(math.log10(rough))
        step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= rough)
        return [i * step for i in range(int(self._high / step) + 1)]


def _short(value):
    return f"{value:,.0f}" if value >= 1000 or value == int(value) else f"{value:g}"
