#!/usr/bin/env bash
# How cmus-pack finds cases: trees with other names, manifests, and what it says of all that does not fit.
#   pack_cases.sh BUILD
set -euo pipefail
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
need_python PIL h5py numpy
export OMP_NUM_THREADS=2


# run CODE ARGUMENT...: cmus-pack at 32 pixels; messages in err
run() {
    local wanted=$1 code=0
    shift
    "$bin/cmus-pack" "$@" --size 32 >out 2>err || code=$?
    [ "$code" = "$wanted" ] || fail "exit code $code instead of $wanted: $(head -c 1500 err)"
}

absent() { # FILE TEXT...
    local file=$1 text
    shift
    for text in "$@"; do
        if grep -qF -- "$text" "$file"; then fail "'$text' is in $file: $(grep -F -- "$text" "$file" | head -n 3)"; fi
    done
}

# holds DIR: its cases as lines CASE PATIENT OM IM TEM;TEM...
holds() {
    "$python" - "$1" <<'PY'
import glob, h5py, sys
for path in sorted(glob.glob(sys.argv[1] + "/shard-*.h5")):
    with h5py.File(path) as file:
        kinds = [kind for kind in ("om", "im") if kind in file]
        source = [text.decode().split("  ", 1)[1] for text in file["source"][:]]
        count = len(file["label"])
        offset = file["tem_offset"][:] if "tem" in file else [0] * (count + 1)
        at = 0
        for i in range(count):
            tem = int(offset[i + 1] - offset[i])
            names = source[at:at + len(kinds)] + [";".join(source[at + len(kinds):at + len(kinds) + tem])]
            at += len(kinds) + tem
            print(file["case_id"][i].decode(), file["patient_id"][i].decode(), *names)
PY
}

# same_as_expected: standard input against what holds() printed into found
same_as_expected() {
    cat >expected
    diff expected found >difference || fail "other cases: $(head -c 1500 difference)"
}

"$python" "$here/pack_images.py" cases gray 12 gray

name="prefixes and a case for each OM image"
mkdir -p tree/A tree/B && cp -r gray/A/p[01] tree/A && cp -r gray/B/p[02] tree/B
mv tree/A/p0/IM_x_1.jpg tree/A/p0/if_1.jpg
mv tree/A/p1/TEM_x_1.tif tree/A/p1/im_tem_1.TIF # the longest prefix counts
mv tree/B/p0/TEM_x_2.tif tree/B/p0/电镜10.tif
mv tree/B/p0/TEM_x_1.tif tree/B/p0/电镜9.tif
cp gray/C/p1/OM_x_1.png tree/A/p0/OM_x_0.png
cp gray/C/p2/OM_x_1.png tree/B/p2/OM_x_1.tif
touch tree/A/p0/Thumbs.db tree/A/.DS_Store tree/A/p0/._OM_x_1.png
mkdir -p tree/__MACOSX/A
run 0 tree --out named --prefix IF=IM --prefix IM_TEM=TEM --prefix 电镜=TEM --om-per-case all
absent err Thumbs .DS_Store __MACOSX "is not used"
holds named >found
same_as_expected <<'LIST'
A/p0/OM_x_0 p0 A/p0/OM_x_0.png A/p0/if_1.jpg A/p0/TEM_x_1.tif
A/p0/OM_x_1 p0 A/p0/OM_x_1.png A/p0/if_1.jpg A/p0/TEM_x_1.tif
A/p1/OM_x_1 p1 A/p1/OM_x_1.png A/p1/IM_x_1.jpg A/p1/im_tem_1.TIF
B/p0/OM_x_1 p0 B/p0/OM_x_1.png B/p0/IM_x_1.jpg B/p0/电镜9.tif;B/p0/电镜10.tif
B/p2/OM_x_1.png p2 B/p2/OM_x_1.png B/p2/IM_x_1.jpg B/p2/TEM_x_1.tif;B/p2/TEM_x_2.tif
B/p2/OM_x_1.tif p2 B/p2/OM_x_1.tif B/p2/IM_x_1.jpg B/p2/TEM_x_1.tif;B/p2/TEM_x_2.tif
LIST

name="an OM image called like another one with its ending"
mkdir -p endings/A && cp -r gray/A/p0 endings/A && cd endings/A/p0
mv OM_x_1.png OM_1.png && cp ../../../gray/A/p1/OM_x_1.png OM_1.TIF
cp ../../../gray/B/p0/OM_x_1.png OM_1.png.jpg && cp ../../../gray/B/p2/OM_x_1.png OM_2.png
cd ../../..
run 0 endings --out ends --om-per-case all
holds ends | cut -d' ' -f1,3 >found
same_as_expected <<'LIST'
A/p0/OM_1.TIF A/p0/OM_1.TIF
A/p0/OM_1.png A/p0/OM_1.png
A/p0/OM_1.png.jpg A/p0/OM_1.png.jpg
A/p0/OM_2.png A/p0/OM_2.png
LIST

name="the first OM image, without IM"
run 0 tree --out without_im --modalities om,tem --prefix IF=IM --prefix IM_TEM=TEM --prefix 电镜=TEM
contains err "tree/A/p0: has 2 OM images: the first, OM_x_0.png, is used, but not OM_x_1.png" \
    "tree: 4 IM images are not used, as --modalities says"
absent err "if_1.jpg"
holds without_im >found
same_as_expected <<'LIST'
A/p0 p0 A/p0/OM_x_0.png A/p0/TEM_x_1.tif
A/p1 p1 A/p1/OM_x_1.png A/p1/im_tem_1.TIF
B/p0 p0 B/p0/OM_x_1.png B/p0/电镜9.tif;B/p0/电镜10.tif
B/p2 p2 B/p2/OM_x_1.png B/p2/TEM_x_1.tif;B/p2/TEM_x_2.tif
LIST

name="odd files and folders"
cp -r gray odd && rm -r odd/?/p[45] odd/B/p3 && cp -r gray/C/p4 odd/C && cd odd
rm A/p1/IM_x_1.jpg && ln -s nowhere A/p1/IM_x_1.jpg
rm A/p0/OM_x_1.png A/p0/IM_x_1.jpg
ln -s /unmounted/disk B/p8
ln -s loop B/loop
mkfifo C/p1/OM_x_2.png
mv C/p2/IM_x_1.jpg "$(printf 'C/p2/IM_\377.jpg')"
mkdir -p "$(printf 'A/\377\301')" D/p1 D/p2 "$(printf '\377/p1')" B/P2 B/p0/more
touch B/p0/TEM_1.bmp B/p0/XX_1.jpg B/p0/scan B/list.xls
for i in {1..30}; do : >"B/p0/$i.dcm"; done
cd ..
run 1 odd --out never --classes A,B,C
contains err 'odd/A/p1/IM_x_1.jpg: a symbolic link that leads nowhere' "odd/A/p0: a case without OM and IM images" \
    "odd/B/p8: can't read the folder: No such file or directory" "odd/C/p1/OM_x_2.png: is no file" \
    "odd/B/loop: can't read the folder: Too many levels" \
    'odd/C/p2/IM_\xff.jpg: the name is not UTF-8' 'odd/A/\xff\xc1: the name is not UTF-8' 'odd/\xff: the name is not' \
    "odd/D: the class D is not among --classes" "the patient id 'p2' is 'P2' (odd/B/P2) but for case" \
    "odd/B/p0/TEM_1.bmp: is not used: named like a TEM image" "odd/B/p0/XX_1.jpg: is not used: its name does not begin" \
    "odd/B/p0/scan: is not used: by its name no image" "odd/B/p0/more: is not used: a folder" \
    "odd/B/list.xls: is not used: not in a folder of a patient" "warning: 10 more of this kind: see never.findings.csv"
[ "$(grep -c '\.dcm: is not used' err)" = 20 ] || fail "not 20 of 30 warnings of one kind are printed"
[ "$(grep -c '\.dcm,is not used' never.findings.csv)" = 30 ] || fail "never.findings.csv has not all warnings"
iconv -f UTF-8 -t UTF-8 err never.findings.csv >/dev/null || fail "messages or findings are not UTF-8"

name="skipping what is odd"
run 0 odd --out skipped --classes A,B,C --on-error skip
cut -d, -f1-3 skipped/rejected.csv >found
same_as_expected <<'LIST'
case_id,patient_id,class
A/p0,p0,A
A/p1,p1,A
A/\xff\xc1,\xff\xc1,A
B/P2,P2,B
B/loop,loop,B
B/p8,p8,B
C/p1,p1,C
C/p2,p2,C
D/p1,p1,D
D/p2,p2,D
\xff/p1,p1,\xff
LIST
contains skipped/rejected.csv "D/p1,p1,D,the class D is not among --classes" \
    "A/p1,p1,A,odd/A/p1/IM_x_1.jpg: a symbolic link that leads nowhere" 'B/P2,P2,B,"a case without OM, IM and TEM images"'
holds skipped | cut -d' ' -f1 >found
printf '%s\n' A/p3 B/p0 B/p2 C/p4 | same_as_expected

name="folders that can't be looked at"
mkdir blind && cp -r gray/A gray/B blind && ln -s loop blind/C && ln -s loop blind/loop
run 1 blind --out never --on-error skip --classes A,B,C
contains err "blind/C: a symbolic link that leads nowhere" "blind/loop: a symbolic link that leads nowhere"
rm blind/C blind/loop
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    chmod 755 . && mkdir -m 777 open && chmod 444 blind
    code=0
    setpriv --reuid=65534 --regid=65534 --clear-groups "$bin/cmus-pack" blind --out open/never --on-error skip \
        --size 32 >out 2>err || code=$?
    [ "$code" = 1 ] || fail "exit code $code instead of 1: $(head -c 1500 err)"
    contains err "blind: Permission denied"
    chmod 755 blind
else
    echo "not tested: a folder without permission (needs root and setpriv)"
fi

name="more class folders than a data set can have"
mkdir -p many/c{1..33}
run 1 many --out never
contains err "many: more than 32 class folders"
mkdir many/c{34..300}
run 1 many --out never --classes A
[ "$(grep -c 'is not among --classes' err)" = 200 ] || fail "not 200 of 300 defects of one kind are printed"

name="names that no class can have"
for classes in "A,$(printf '\377')" $'A,B\nC' A/B A,.. . "" A,,B "A,$(printf '%0600d' 0)"; do
    run 2 gray --out never --classes "$classes"
    contains err "--classes has '"
done
run 2 gray --out never --classes "$(printf '%s,' {1..32})33"
contains err "--classes has 33 names"

name="a case in two sources"
run 1 gray gray --out never
contains err "gray/A/p0: the same class and patient are in gray/A/p0 too"

# lines LINE...: the manifest cases.csv with a header
lines() { printf '%s\n' case_id,patient_id,class,om,im,tem "$@" >cases.csv; }

name="a manifest of any layout"
a=gray/A/p0 b=gray/B/p0 c=gray/C/p1
mkdir -p lists/电镜 && cp $a/TEM_x_1.tif "lists/电镜/a,b.tif"
# as Excel writes it: a byte order mark, ends of lines with CR, quotes, empty lines; and by hand: no end of the last line
{
    printf '\357\273\277Class,im,TEM,Patient_ID,age,om,case_id\r\n'
    printf 'MN,../%s/IM_x_1.jpg,"电镜/a,b.tif",007,33,../%s/OM_x_1.png,00\r\n' $a $a
    printf '\r\n,,,,,,\r\n'
    printf 'IgAN, ../%s/IM_x_1.jpg , ../%s/TEM_x_2.tif ; ../%s/TEM_x_1.tif ;," 王伟",4,%s/%s/OM_x_1.png,"1, ""x"""' $b $b $b "$PWD" $b
} >lists/cases.csv
run 0 --manifest lists/cases.csv --out listed --classes MN,IgAN
contains err "lists/cases.csv: the columns 'age' are not used"
holds listed >found
same_as_expected <<LIST
00 007 ../$a/OM_x_1.png ../$a/IM_x_1.jpg 电镜/a,b.tif
1, "x" 王伟 $PWD/$b/OM_x_1.png ../$b/IM_x_1.jpg ../$b/TEM_x_1.tif;../$b/TEM_x_2.tif
LIST

name="files that cases of one patient share, and several OM images"
lines "x,p1,MN,$a/OM_x_1.png,$a/IM_x_1.jpg,$c/TEM_x_10.tif;$c/TEM_x_2.tif" \
    "y,p1,MN,$b/OM_x_1.png;$c/OM_x_1.png,$a/IM_x_1.jpg,$c/TEM_x_2.tif;$c/TEM_x_10.tif" \
    "z,p2,IgAN,gray/C/p2/OM_x_1.png,gray/C/p2/IM_x_1.jpg,gray/C/p2/TEM_x_1.tif;./gray/C/p2/TEM_x_1.tif"
run 0 --manifest cases.csv --out shared --om-per-case all
contains err "decoded 9 images" "cases.csv, line 4: TEM file gray/C/p2/TEM_x_1.tif is there twice; it is taken once"
holds shared >found
same_as_expected <<LIST
z/OM_x_1 p2 gray/C/p2/OM_x_1.png gray/C/p2/IM_x_1.jpg ./gray/C/p2/TEM_x_1.tif
x/OM_x_1 p1 $a/OM_x_1.png $a/IM_x_1.jpg $c/TEM_x_2.tif;$c/TEM_x_10.tif
y/$b/OM_x_1.png p1 $b/OM_x_1.png $a/IM_x_1.jpg $c/TEM_x_2.tif;$c/TEM_x_10.tif
y/$c/OM_x_1.png p1 $c/OM_x_1.png $a/IM_x_1.jpg $c/TEM_x_2.tif;$c/TEM_x_10.tif
LIST

name="lines that are wrong"
good="$a/OM_x_1.png,$a/IM_x_1.jpg,$a/TEM_x_1.tif"
lines "one,p1,MN,$good" "one,p1,MN,$good" ",p1,MN,$good" "four,,MN,$good" "five,p1,,$good" "six,p1,XX,$good" \
    "seven,p1,MN,nowhere.png,om\\1.jpg,gray" "eight,p1,MN,$a/OM_x_1.png,,$a/OM_x_1.png" \
    "nine,P1,IgAN,gray/C/p2/OM_x_1.png,$a/IM_x_1.jpg,$c/TEM_x_1.tif" \
    $'"te\nn",007,MN,'"$good" "eleven,p 01,MN,$good"
run 1 --manifest cases.csv --out never --classes MN,IgAN
contains err "cases.csv, line 2: the case id one is also that of cases.csv, line 3" \
    "cases.csv, line 3: the case id one is also that of cases.csv, line 2" "cases.csv, line 4: the case_id is empty" \
    "cases.csv, line 5: the patient_id is empty" "cases.csv, line 6: the class is empty" \
    "cases.csv, line 7: the class XX is not among --classes" \
    "cases.csv, line 8: OM file nowhere.png: No such file or directory" \
    "cases.csv, line 8: IM file om\\1.jpg: No such file or directory; write / between" \
    "cases.csv, line 8: TEM file gray: is no file" "cases.csv, line 9: a case without IM image" \
    "cases.csv, line 9: OM file $a/OM_x_1.png is also a TEM file (cases.csv, line 9)" \
    "cases.csv, line 10: IM file $a/IM_x_1.jpg is also that of another patient (cases.csv, line 2)" \
    "cases.csv, line 11: the case_id holds control characters" \
    "cases.csv, line 2: the patient id 'p1' is 'P1' (cases.csv, line 10) but for case, blanks, accents or leading zeros" \
    "cases.csv, line 13: the patient id 'p 01' is 'P1'"

name="skipping lines that are wrong"
lines "one,p1,MN,$good" ",p2,MN,$b/OM_x_1.png,$b/IM_x_1.jpg,$b/TEM_x_1.tif" "three,p3,XX,,," "four,p1,MN,nowhere.png,," \
    ",p5,MN,$c/OM_x_1.png,$c/IM_x_1.jpg,"
run 0 --manifest cases.csv --out skipped_lines --classes MN --on-error skip
cat skipped_lines/rejected.csv >found
same_as_expected <<'LIST'
case_id,patient_id,class,why
,p2,MN,the case_id is empty
four,p1,MN,OM file nowhere.png: No such file or directory
,p5,MN,the case_id is empty
three,p3,XX,the class XX is not among --classes
LIST

name="no manifest"
refuse() { # TEXT...: of the file cases.csv
    run 1 --manifest cases.csv --out never
    contains err "$@"
}
printf 'case_id,class,om,im\nx,MN,,\n' >cases.csv
refuse "cases.csv, line 1: there is no column 'patient_id', 'tem'"
printf 'case_id,patient_id,class,om,im,tem,OM\nx,p,MN,,,,\n' >cases.csv
refuse "cases.csv, line 1: the column 'OM' is there twice"
printf 'case_id;patient_id;class;om;im;tem\nx;p;MN;a;b;c,d\n' >cases.csv
refuse "cases.csv, line 1: its columns are separated by ';'"
printf 'case_id\tpatient_id\tclass\tom\tim\ttem\n' >cases.csv
refuse "cases.csv, line 1: its columns are separated by a tab"
lines "x,王伟,MN,,," && iconv -f UTF-8 -t GBK -o gbk.csv cases.csv && mv gbk.csv cases.csv
refuse "cases.csv, line 2: is not UTF-8 text, perhaps GB18030; save it as 'CSV UTF-8'"
lines "x,p,MN,,," && iconv -f UTF-8 -t UTF-16 -o wide.csv cases.csv && mv wide.csv cases.csv
refuse "cases.csv: is UTF-16 text"
lines "x,p,MN,"
refuse "cases.csv, line 2: 4 fields, but the header has 6"
lines
refuse "cases.csv: no case is in there: only the header"
: >cases.csv
refuse "cases.csv: empty file"
rm cases.csv
refuse "cases.csv: No such file or directory"

name="nothing that tells a name with --deidentify"
printf 'a key of more than 16 bytes' >key && chmod 600 key
mkdir -p secret/Wang/MN && cp -r gray/A/p0 secret/Wang/MN/Li_Lei && cp gray/B/p0/OM_x_1.png secret/Wang/MN/Li_Lei/OM_Li.png
mkdir secret/Wang/MN/Li_lei && touch secret/Wang/MN/Li_Lei/Li.pdf
run 1 secret/Wang --out never --deidentify key --map secret.csv
cat err never.findings.csv >said
absent said Li Lei lei Wang
contains said "a case without OM, IM and TEM images" "has 2 OM images: the first, f-" "but for case, blanks"
run 1 secret/Wang/MN --out never --deidentify key --map secret.csv # a patient's folder taken for a class
cat err never.findings.csv >said
absent said Li Lei lei Wang
contains said "a class folder without folders of patients" "the class 'f-"
mkdir secret/Wang/MN/Li_Lei/scans
run 1 secret/Wang/MN --out never --deidentify key --map secret.csv --classes MN
cat err never.findings.csv >said
absent said Li Lei lei Wang
contains said "the class f-"
rm -r secret/Wang/MN/Li_Lei/scans
lines "Lei 1,Li,MN,secret/Wang/MN/Li_Lei/OM_Li.png;nowhere/Li.png,$b/IM_x_1.jpg,$b/TEM_x_1.tif" \
    "Lei 1,LI,MN,$a/OM_x_1.png,$b/IM_x_1.jpg,"
mv cases.csv Li_Lei.csv
run 1 --manifest Li_Lei.csv --out never --deidentify key --map secret.csv
cat err never.findings.csv >said
absent said Li Lei lei LI Wang
contains said "the manifest, line 3: a case without TEM image" "the case id c-" "the patient id 'p-" "OM file f-"

finish
