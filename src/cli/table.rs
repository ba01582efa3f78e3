//! Tables of text: the first column begins at the left, numbers end at the right.

/// Rows of cells, of which all have the same number.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// The rows as lines, each behind two blanks.
    pub(super) fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::from(" ");
            for (place, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let blanks = " ".repeat(width - cell.chars().count());
                line += " ";
                line += &if place == 0 {
                    format!("{cell}{blanks}")
                } else {
                    format!(" {blanks}{cell}")
                };
            }
            text += line.trim_end();
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::default();
        for row in [["pool", "share"], ["Türkiye", "5 %"]] {
            table.push(row.map(str::to_owned).to_vec());
        }
        assert_eq!(table.render(), "  pool     share\n  Türkiye    5 %\n");
    }
}
