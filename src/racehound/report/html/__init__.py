"""The report as one HTML page that needs nothing else: no network, no other file.

`contents` gathers what the page shows as plain data, `page` puts that with the parts in `assets/` into one text; all drawing is
done by the scripts among them, in the order of `page.SCRIPTS`.
"""
