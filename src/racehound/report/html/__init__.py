"""The report as one HTML page that needs no network and no other file.

`contents` gathers what the page shows as plain data. `page` puts that together with the files in `assets/`. The scripts among
them draw everything, in the order of `page.SCRIPTS`.
"""
