"""What a bench has found: tables that people read as they grow, and the same with plots as a JSON file for the document.

Knows nothing of what is measured, and nothing of the document (page.py) and of how a plot is drawn (plot.py).

    sheet = Report("scale")
    table = sheet.table("connections", ["connections", "ns/request", "ratio", "verdict"])
    table.row(100, f"{ns:.0f}", f"{ratio:.2f}", "met")
    sheet.plot("connections", title="...", x_label="connections", y_label="ns", x=[10, 100], series={"hellod": [1, 2]})
    sheet.bars("requests", title="requests", unit="µs", values={"hellod": 3.1, "another": 5.2})
    sheet.save(options.json)
"""

import json
import pathlib

GAP = "  "
WIDTH, WORDS_WIDTH = 8, 22  # of a column, at least


class Table:
    """Prints its head at once and each row when it is there; a cell wider than its column moves the rest. Columns of
    words begin at the left: the first, "verdict", and those whose name begins with "<"."""

    def __init__(self, name, columns):
        self.name, self.columns, self.rows = name, [column.removeprefix("<") for column in columns], []
        self.words = [place == 0 or column == "verdict" or column.startswith("<") for place, column in enumerate(columns)]
        print(self.line(self.columns), flush=True)

    def line(self, cells):
        pieces = []
        for column, words, cell in zip(self.columns, self.words, cells):
            width = max(WORDS_WIDTH if words else WIDTH, len(column))
            pieces.append(cell.ljust(width) if words else cell.rjust(width))
        return GAP.join(pieces).rstrip()

    def row(self, *cells):
        """Adds and prints a row, a cell for each column: text, or what becomes text."""
        assert len(cells) == len(self.columns)
        self.rows.append([str(cell) for cell in cells])
        print(self.line(self.rows[-1]), flush=True)


class Report:
    """All that the driver NAME has found."""

    def __init__(self, name):
        self.name, self.tables, self.plots = name, [], []

    def table(self, name, columns):
        """A new table, whose name is its own in this report."""
        self.tables.append(Table(name, columns))
        return self.tables[-1]

    def plot(self, name, *, title, x_label, y_label, x, series, log_x=False):
        """Lines over X, one for each of SERIES (name: values, None where there is none)."""
        self.plots.append({"name": name, "kind": "lines", "title": title, "x_label": x_label, "y_label": y_label,
                           "log_x": log_x, "x": list(x), "series": {who: list(ys) for who, ys in series.items()}})

    def bars(self, name, *, title, unit, values):
        """A bar for each of VALUES (name: value). Under one name several make one picture, each a panel."""
        panel = {"title": title, "unit": unit, "values": dict(values)}
        for plot in self.plots:
            if plot["name"] == name:
                plot["panels"].append(panel)
                return
        self.plots.append({"name": name, "kind": "bars", "panels": [panel]})

    def save(self, path):
        """Writes all of it to PATH; nothing if there is none."""
        if path is None:
            return
        tables = [{"name": table.name, "columns": table.columns, "words": table.words, "rows": table.rows}
                  for table in self.tables]
        content = {"name": self.name, "tables": tables, "plots": self.plots}
        path = pathlib.Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
