#!/usr/bin/env python3
"""Prints case_folding_table.h: the simple case folding of Unicode (CaseFolding.txt, status C and S)
and the characters that show nothing, as ranges.

Run it only on purpose: a new table may make two handles that exist the same, and stores of one
database must agree."""
import sys
import unicodedata


def fold(cp):
    c = chr(cp)
    folded = c.casefold()
    if len(folded) != 1:
        folded = c.lower()
    return ord(folded) if len(folded) == 1 else cp


def ranges(mapping):
    """Ranges (first, last, step, delta): each step-th code point moves by delta."""
    out = []
    for cp, to in mapping:
        delta = to - cp
        if out and out[-1][3] == delta:
            first, last, step, _ = out[-1]
            gap = cp - last
            if gap <= 2 and (step == gap or first == last):
                out[-1] = [first, cp, gap, delta]
                continue
        out.append([cp, cp, 1, delta])
    return out


# What shows nothing although its category is not one of those below (Default_Ignorable_Code_Point
# of DerivedCoreProperties.txt, and the blank braille pattern).
IGNORABLE = [(0x34F, 0x34F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2065, 0x2065),
             (0x2800, 0x2800), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFFA0, 0xFFA0),
             (0xFFF0, 0xFFF8), (0xE0000, 0xE0FFF)]


def hidden(cp):
    if any(a <= cp <= b for a, b in IGNORABLE) or (cp & 0xFFFE) == 0xFFFE or 0xFDD0 <= cp <= 0xFDEF:
        return True
    category = unicodedata.category(chr(cp))
    return cp != 0x20 and category in ("Cc", "Cf", "Cs", "Co", "Zs", "Zl", "Zp")


def spans(wanted):
    out = []
    for cp in wanted:
        if out and out[-1][1] == cp - 1:
            out[-1][1] = cp
        else:
            out.append([cp, cp])
    return out


def main():
    folding = ranges([(cp, fold(cp)) for cp in range(0x80, 0x110000)
                      if not 0xD800 <= cp <= 0xDFFF and fold(cp) != cp])
    print(f"""/* store/accounts/case_folding_table.h: made by case_folding.py from Unicode {unicodedata.unidata_version}.
 * Included by case_folding.c only. */
#ifndef PARLEY_STORE_ACCOUNTS_CASE_FOLDING_TABLE_H
#define PARLEY_STORE_ACCOUNTS_CASE_FOLDING_TABLE_H

#include <stdint.h>

/* clang-format off */
/* From first to last, each step-th code point folds to itself plus delta. Sorted. */
static const struct {{
    uint32_t first, last;
    uint32_t step;
    int32_t delta;
}} s_folding[] = {{""")
    def rows(cells):
        line = "   "
        for cell in cells:
            if len(line) + len(cell) + 1 > 100:
                print(line)
                line = "   "
            line += " " + cell
        print(line)
    rows(f"{{0x{a:X}, 0x{b:X}, {s}, {d}}}," for a, b, s, d in folding)
    print("""};

/* Controls, formats, blanks other than U+0020, private use, noncharacters: nothing to see. */
static const struct {
    uint32_t first, last;
} s_hidden[] = {""")
    rows(f"{{0x{a:X}, 0x{b:X}}}," for a, b in spans(cp for cp in range(0x110000) if hidden(cp)))
    print("""};

/* Marks that sit on the character before them. */
static const struct {
    uint32_t first, last;
} s_marks[] = {""")
    rows(f"{{0x{a:X}, 0x{b:X}}}," for a, b in spans(
        cp for cp in range(0x110000) if unicodedata.category(chr(cp)) in ("Mn", "Me")))
    print("};\n/* clang-format on */\n\n#endif")


if __name__ == "__main__":
    sys.exit(main())
