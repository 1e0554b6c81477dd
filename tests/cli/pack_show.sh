#!/usr/bin/env bash
# What cmus-pack shows of a packed data set: --describe and --preview.
#   pack_show.sh BUILD
# shellcheck source=tests/cli/common.sh
source "$(dirname "$0")/common.sh"
need_python PIL h5py numpy
pack=$bin/cmus-pack split=$bin/cmus-split

"$python" "$here/pack_images.py" cases cases 24 gray || exit 1
mv cases/A 'cases/膜性肾病'
mv 'cases/膜性肾病/p0' 'cases/膜性肾病/<b>张伟&'
rm -r cases/膜性肾病/p1*
for i in $(seq 11 17); do # a bag of more images than a row shows
  "$python" -c 'import sys; from PIL import Image; Image.effect_noise((40, 40), int(sys.argv[1])).save(sys.argv[2])' \
    "$i" "cases/膜性肾病/<b>张伟&/TEM_x_$i.png"
done
"$pack" cases --out packed --size 32 --preview packed.html 2>err || fail "packing: $(cat err)"

# --- --describe
"$pack" --describe packed >out 2>err || fail "--describe: $(cat err)"
contains out "packed: 22 cases of 13 patients, 97 images of 32 x 32 pixels" "膜性肾病        6        6         13" \
  "B               8        8         16" "TEM images a case: 1 to 8" "          2       8 ########################################" "          8       1 #####" \
  "png 22; 8; 0" "jpeg 22; 8; 0" "png 7, tiff 46; 8; 53" "1 shard" "resize        \"bilinear\"" "No folds yet"
[ -s err ] && fail "--describe complains: $(cat err)"
"$split" packed --folds 3 --holdout 0.2 >/dev/null 2>&1 || fail "splitting"
"$pack" --describe packed >out 2>err || fail "--describe with folds"
contains out "splits.csv: 3 folds, 1 repeat,"
sed -i '2s/,[^,]*$/,1/; 3s/,[^,]*$/,0/; 4s/,[^,]*$/,2/' packed/splits.csv
"$pack" --describe packed >out 2>err || fail "--describe with bad folds"
contains out "splits.csv can't be used"
"$pack" --describe cases >out 2>err && fail "--describe of what is no data set"
contains err "cases/dataset.json"
rm packed/splits.csv

# --- --preview
check_page() {
  "$python" - "$1" <<'PY' || fail "the page $1 is not what it should be"
import base64, html.parser, io, re, sys
from PIL import Image
text = open(sys.argv[1], encoding="utf-8").read()
class Parser(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.images, self.tags = [], [], set()
    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag == "img":
            self.images.append(dict(attributes))
        elif tag != "meta":
            self.open.append(tag)
    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag
parser = Parser()
parser.feed(text)
assert not parser.open and not parser.tags & {"script", "b", "link"}, (parser.open, parser.tags)
assert "default-src 'none'" in text and "http" not in re.sub(r'http-equiv', '', text)
assert "&#60;b&#62;张伟&#38;" in text and "and 2 more" in text
assert text.count('class="case"') == 18 and text.count("6 of 8 cases") == 2 and "6 of 6 cases" in text
for image in parser.images:
    kind, data = image["src"].split(",", 1)
    assert kind == "data:image/jpeg;base64", kind
    picture = Image.open(io.BytesIO(base64.b64decode(data)))
    assert picture.size == (32, 32), picture.size
    assert (picture.mode == "L") == image["alt"].startswith("TEM"), image["alt"]
PY
}
check_page packed.html
"$pack" --preview again.html packed 2>err || fail "--preview of a data set: $(cat err)"
cmp packed.html again.html || fail "the page is another one each time"
"$pack" --describe packed --preview third.html >out 2>err || fail "--describe with --preview: $(cat err)"
cmp packed.html third.html || fail "the page depends on how it is asked for"
"$pack" --preview nowhere/page.html packed 2>err && fail "a page in no folder"
contains err "nowhere/page.html"
cp -r packed damaged && printf x | dd of=damaged/shard-00000.h5 bs=1 seek=20000 conv=notrunc 2>/dev/null
"$pack" --preview damaged.html damaged 2>err && fail "a page of damaged images"
contains err "damaged/shard-00000.h5"
compgen -G "damaged.html*" && fail "half a page was left"

finish
