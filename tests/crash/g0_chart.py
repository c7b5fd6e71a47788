"""Queue depth over time as an SVG, by hand: one area, its axes, and the two moments that explain it."""

from __future__ import annotations

import html

WIDTH, HEIGHT = 920, 420
LEFT, RIGHT, TOP, BOTTOM = 84, 28, 66, 58
INK, FAINT, GRID, BLUE = "#1f2933", "#616e7c", "#e4e7eb", "#2563a8"
FONT = "font-family=\"system-ui, -apple-system, 'Segoe UI', 'Noto Sans', sans-serif\""


def _nice_step(span: float, about: int) -> float:
    """1, 2 or 5 times a power of ten, so that about `about` steps make the span."""
    raw = span / about
    magnitude = 1.0
    while magnitude * 10 <= raw:
        magnitude *= 10
    while magnitude > raw:
        magnitude /= 10
    return next(step * magnitude for step in (1, 2, 5, 10) if step * magnitude >= raw)


def _ticks(top: float, about: int) -> list[float]:
    step = _nice_step(top, about)
    ticks, at = [], 0.0
    while at <= top * 1.0001:
        ticks.append(at)
        at += step
    return ticks


def depth_svg(points: list[tuple[float, float]], marks: list[tuple[float, str]], title: str, note: str) -> str:
    """points: (seconds, requests in the queue), in order; marks: (seconds, what happened then)."""
    end = max(t for t, _ in points) or 1.0
    peak = max((depth for _, depth in points), default=0) or 1
    y_ticks = _ticks(peak, 5)
    if y_ticks[-1] < peak:
        y_ticks.append(y_ticks[-1] + y_ticks[1] if len(y_ticks) > 1 else peak)
    top = y_ticks[-1]

    def x(t: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * t / end

    def y(depth: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * depth / top

    def text(at_x: float, at_y: float, what: str, anchor: str = "middle", size: int = 12, color: str = FAINT,
             more: str = "") -> str:
        return (f'<text x="{at_x:.1f}" y="{at_y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{color}" '
                f'{more}>{html.escape(what)}</text>')

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
           f'role="img" aria-label="{html.escape(title)}" {FONT}>',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
           '<defs><linearGradient id="depth" x1="0" y1="0" x2="0" y2="1">'
           f'<stop offset="0" stop-color="{BLUE}" stop-opacity="0.45"/>'
           f'<stop offset="1" stop-color="{BLUE}" stop-opacity="0.08"/></linearGradient></defs>',
           text(LEFT, 24, title, "start", 16, INK, 'font-weight="600"'),
           text(LEFT, 43, note, "start", 12)]
    for tick in y_ticks:
        out.append(f'<line x1="{LEFT}" y1="{y(tick):.1f}" x2="{WIDTH - RIGHT}" y2="{y(tick):.1f}" stroke="{GRID}"/>')
        out.append(text(LEFT - 10, y(tick) + 4, f"{tick:,.0f}", "end"))
    for tick in _ticks(end, 9):
        out.append(f'<line x1="{x(tick):.1f}" y1="{HEIGHT - BOTTOM}" x2="{x(tick):.1f}" y2="{HEIGHT - BOTTOM + 5}" '
                   f'stroke="{FAINT}"/>')
        out.append(text(x(tick), HEIGHT - BOTTOM + 20, f"{tick:g} s"))
    line = " ".join(f"{x(t):.1f},{y(depth):.1f}" for t, depth in points)
    first, last = points[0][0], points[-1][0]
    out.append(f'<polygon points="{x(first):.1f},{y(0):.1f} {line} {x(last):.1f},{y(0):.1f}" fill="url(#depth)"/>')
    out.append(f'<polyline points="{line}" fill="none" stroke="{BLUE}" stroke-width="2" stroke-linejoin="round"/>')
    for t, what in marks:
        out.append(f'<line x1="{x(t):.1f}" y1="{TOP - 4}" x2="{x(t):.1f}" y2="{HEIGHT - BOTTOM}" stroke="{INK}" '
                   'stroke-dasharray="4 4" stroke-width="1.2"/>')
        # Towards the middle, so that a mark at either end stays inside the picture.
        anchor = "start" if t < end / 2 else "end"
        out.append(text(x(t) + (6 if anchor == "start" else -6), TOP + 8, what, anchor, 12, INK, 'font-weight="600"'))
    out.append(f'<line x1="{LEFT}" y1="{y(0):.1f}" x2="{WIDTH - RIGHT}" y2="{y(0):.1f}" stroke="{INK}"/>')
    out.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, "time since the start of the load"))
    out.append(f'<text x="20" y="{(TOP + HEIGHT - BOTTOM) / 2:.1f}" text-anchor="middle" font-size="12" fill="{FAINT}" '
               f'transform="rotate(-90 20 {(TOP + HEIGHT - BOTTOM) / 2:.1f})">requests in the queue</text>')
    out.append("</svg>")
    return "\n".join(out) + "\n"
