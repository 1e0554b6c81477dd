#!/usr/bin/env python3
"""Small files of every kind as first inputs of the fuzz targets: make_seeds.py DIR writes DIR/jpeg, DIR/png and so on.

Drawn here, of no patient. The corpus that is kept in the repository grew from them (run.sh --merge).
"""
import struct
import sys
import zlib
from pathlib import Path

import h5py
import numpy as np
from PIL import Image, ImageDraw, PngImagePlugin

RANDOM = np.random.default_rng(3)


def picture(width, height, mode="RGB"):
    """A disc over a gradient with some noise."""
    y, x = np.mgrid[:height, :width]
    disc = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (min(width, height) / 3) ** 2
    base = 90 * x / width + 60 * y / height + 70 * disc + RANDOM.normal(0, 4, (height, width))
    planes = [np.clip(base * factor, 0, 255).astype(np.uint8) for factor in (1, 0.8, 0.6, 0.9)]
    array = planes[0] if mode == "L" else np.dstack(planes[:len(mode)])
    return Image.fromarray(array, mode)


def exif(**more):
    tags = Image.Exif()
    tags[0x0112] = 6  # orientation
    for tag, value in more.get("texts", {}).items():
        tags[tag] = value
    if more.get("position"):
        tags.get_ifd(0x8825).update({1: "N", 2: (31.0, 14.0, 7.0), 3: "E", 4: (121.0, 28.0, 9.0)})
    return tags


def jpeg(folder):
    rgb, gray = picture(24, 17), picture(19, 26, "L")
    for name, subsampling in (("444", 0), ("422", 1), ("420", 2)):
        rgb.save(folder / f"{name}.jpg", subsampling=subsampling, quality=60)
    gray.save(folder / "gray.jpg", quality=50)
    rgb.save(folder / "progressive.jpg", progressive=True, quality=60)
    gray.save(folder / "progressive_gray.jpg", progressive=True, quality=60)
    rgb.convert("CMYK").save(folder / "cmyk.jpg", quality=60)
    rgb.save(folder / "restart.jpg", restart_marker_blocks=2, quality=40)
    rgb.save(folder / "optimized.jpg", optimize=True, quality=30)
    rgb.save(folder / "exif.jpg", exif=exif(), quality=40)
    rgb.save(folder / "position.jpg", exif=exif(position=True), quality=40)
    rgb.save(folder / "person.jpg", exif=exif(texts={0x013B: "N. N.", 0x010E: "case 7", 0x9286: "ASCII\0\0\0note"}),
             quality=40, comment=b"a comment")
    picture(8, 8).save(folder / "tiny.jpg", quality=20)
    # 4:1:1, which Pillow does not write: the sampling factors of the first component in the SOF segment, in place
    wide = bytearray((folder / "422.jpg").read_bytes())
    at = wide.index(b"\xff\xc0")
    wide[at + 11] = 0x41
    (folder / "411.jpg").write_bytes(wide)


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_by_hand(path, width, height, bits, colour, interlaced=0, extra=b""):
    """Stored, not deflated, so that a changed byte stays a pixel; of kinds that Pillow does not write."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]

    def rows(columns, lines):
        if not columns or not lines:
            return b""
        size = (columns * channels * bits + 7) // 8
        return b"".join(bytes([y % 5]) + RANDOM.bytes(size) for y in range(lines))
    if interlaced:
        data = b"".join(rows(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in
                        ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)))
    else:
        data = rows(width, height)
    if colour == 3:
        extra = chunk(b"PLTE", RANDOM.bytes(3 << bits)) + extra
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced))
                     + extra + chunk(b"IDAT", zlib.compress(data, 0)) + chunk(b"IEND", b""))


def png(folder):
    for colour, depths in ((0, (1, 2, 4, 8, 16)), (2, (8, 16)), (3, (1, 2, 4, 8)), (4, (8, 16)), (6, (8, 16))):
        for bits in depths:
            for interlaced in (0, 1):
                png_by_hand(folder / f"c{colour}_{bits}_{interlaced}.png", 11, 9, bits, colour, interlaced)
    png_by_hand(folder / "trns_gray.png", 9, 8, 8, 0, 0, chunk(b"tRNS", b"\0\7"))
    png_by_hand(folder / "trns_gray16.png", 9, 8, 16, 0, 0, chunk(b"tRNS", b"\1\7"))
    png_by_hand(folder / "trns_rgb.png", 9, 8, 8, 2, 0, chunk(b"tRNS", b"\0\1\0\2\0\3"))
    png_by_hand(folder / "trns_palette.png", 9, 8, 4, 3, 0, chunk(b"tRNS", b"\0\x80\xff"))
    png_by_hand(folder / "chunks.png", 9, 8, 8, 2, 0, chunk(b"gAMA", b"\0\1\x86\xa0") + chunk(b"sRGB", b"\0")
                + chunk(b"pHYs", b"\0\0\1\0\0\0\1\0\1") + chunk(b"sBIT", b"\5\6\5") + chunk(b"bKGD", b"\0\1\0\1\0\1")
                + chunk(b"tIME", b"\x07\xe8\1\2\3\4\5") + chunk(b"cHRM", b"\0\0\x7a\x25" * 8))
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "N. N.")
    text.add_text("Comment", "long " * 9, zip=True)
    text.add_itxt("Title", "a title", lang="en")
    picture(13, 10).save(folder / "text.png", pnginfo=text)
    picture(12, 14).save(folder / "exif.png", exif=exif(position=True))
    picture(25, 16).quantize(40).save(folder / "deflated_palette.png")
    picture(24, 18).save(folder / "deflated.png")


def tiff_by_hand(path, width, height, bits, order="<", tile=0, big=False, photometric=1):
    """Gray samples, uncompressed, of layouts that Pillow does not write: tiles, big TIFF, any byte order."""
    size, long_ = bits // 8, ("Q" if big else "I")
    if tile:
        count = -(-width // tile) * -(-height // tile)
        parts = [RANDOM.bytes(tile * tile * size) for _ in range(count)]
    else:
        count, parts = 1, [RANDOM.bytes(width * height * size)]
    tags = {256: [width], 257: [height], 258: [bits], 259: [1], 262: [photometric], 274: [1], 277: [1]}
    if tile:
        tags.update({322: [tile], 323: [tile], 324: None, 325: [len(part) for part in parts]})
    else:
        tags.update({273: None, 278: [height], 279: [len(parts[0])]})
    room, entry = (8, 20) if big else (4, 12)
    start = 16 if big else 8
    lists = start + (8 if big else 2) + entry * len(tags) + room
    places = [lists + 2 * 8 * count + sum(map(len, parts[:i])) for i in range(count)]
    out = (b"MM" if order == ">" else b"II") + (struct.pack(order + "HHHQ", 43, 8, 0, 16) if big
                                               else struct.pack(order + "HI", 42, 8))
    out += struct.pack(order + ("Q" if big else "H"), len(tags))
    extra = b""
    for tag, values in sorted(tags.items()):
        values = places if values is None else values
        packed = struct.pack(order + "I" * len(values), *values)
        if len(packed) > room:
            packed, extra = struct.pack(order + long_, lists + len(extra)), extra + packed
        out += struct.pack(order + "HH" + long_, tag, 4, len(values)) + packed.ljust(room, b"\0")
    out += struct.pack(order + long_, 0) + extra.ljust(2 * 8 * count, b"\0") + b"".join(parts)
    path.write_bytes(out)


def tiff(folder):
    rgb, gray = picture(14, 11), picture(13, 12, "L")
    for name, compression in (("raw", None), ("lzw", "tiff_lzw"), ("deflate", "tiff_adobe_deflate"),
                              ("packbits", "packbits"), ("jpeg", "jpeg"), ("lzma", "lzma"), ("zstd", "zstd")):
        rgb.save(folder / f"rgb_{name}.tif", compression=compression)
        gray.save(folder / f"gray_{name}.tif", compression=compression)
    lines = Image.new("1", (40, 21))
    ImageDraw.Draw(lines).line((0, 0, 39, 20), fill=1)
    for compression in ("group3", "group4", "tiff_ccitt", "packbits"):
        lines.save(folder / f"lines_{compression}.tif", compression=compression)
    rgb.save(folder / "predictor.tif", compression="tiff_lzw", tiffinfo={317: 2})
    rgb.quantize(30).save(folder / "palette.tif")
    rgb.convert("CMYK").save(folder / "cmyk.tif")
    rgb.convert("YCbCr").save(folder / "ycbcr.tif", compression="jpeg")
    rgb.convert("LAB").save(folder / "lab.tif")
    picture(9, 8, "RGBA").save(folder / "rgba.tif")
    rgb.save(folder / "pages.tif", save_all=True, append_images=[gray])
    rgb.save(folder / "texts.tif", tiffinfo={270: "case 7", 315: "N. N.", 316: "host", 305: "software"})
    Image.fromarray(np.array(gray).astype(np.float32)).save(folder / "float.tif")
    Image.fromarray(np.array(gray).astype(np.int32)).save(folder / "signed.tif")
    for bits in (8, 16):
        for order, name in (("<", "little"), (">", "big")):
            tiff_by_hand(folder / f"{name}{bits}.tif", 9, 11, bits, order)
            tiff_by_hand(folder / f"{name}{bits}_tiles.tif", 21, 17, bits, order, tile=16)
            tiff_by_hand(folder / f"{name}{bits}_bigtiff.tif", 7, 8, bits, order, big=True)
    tiff_by_hand(folder / "white16.tif", 7, 8, 16, photometric=0)


def raw_shard(path, growing, **filters):
    """The right shard of shard_recipe.c, or one whose chunks are listed in another way, because it may grow."""
    side, cases, tem = 8, 2, 3
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        file.attrs["format_version"], file.attrs["image_size"] = np.int32(1), np.int32(side)
        file.attrs.create("classes", np.array([b"A", b"B"]), dtype=h5py.string_dtype("utf-8", 1))
        lists = {"tem_offset": np.array([0, 1, tem]), "label": np.arange(cases, dtype="<i4"), "case_id": np.array([b"c0", b"c1"]),
                 "patient_id": np.array([b"p0", b"p1"]), "source": np.array([b"s%d" % i for i in range(2 * cases + tem)])}
        for name, values in lists.items():
            file.create_dataset(name, data=values, chunks=values.shape, fletcher32=True, track_times=False)
        for name, shape in (("om", (cases, side, side, 3)), ("im", (cases, side, side, 3)), ("tem", (tem, side, side, 1))):
            file.create_dataset(name, data=np.arange(np.prod(shape)).reshape(shape).astype(np.uint8), track_times=False,
                                chunks=(1,) + shape[1:], maxshape=(None,) * growing + shape[growing:], fletcher32=True, **filters)


def shard(folder):
    raw_shard(folder / "raw.h5", 0)
    raw_shard(folder / "raw_deflated.h5", 0, compression="gzip")
    raw_shard(folder / "raw_growing.h5", 1)
    raw_shard(folder / "raw_growing_all.h5", 4)
    for lacking in range(7):
        (folder / f"lacking_{lacking}").write_bytes(bytes([lacking]))
    records = {"stored": (5, 8, 2, 0), "deflated": (7, 4, 6, 0), "kind": (6, 0, 7, 0), "type": (2, 1, 25, 1), "size": (1, 9, 3, 0),
               "chunk": (1, 14, 3, 0), "layout": (5, 3, 1, 0), "fill": (0, 5, 4, 0), "value": (1, 6, 9, 1), "letter": (2, 7, 0, 0)}
    for name, record in records.items():
        (folder / f"change_{name}").write_bytes(bytes([0, *record]))


def manifest(folder):
    """The first byte: options, as fuzz_manifest.c has them."""
    header = "case_id,patient_id,class,om,im,tem\n"
    texts = {
        "right": (0, header + "c1,p1,A,o.jpg,i.png,t1.tif;t2.tif\nc2,p2,B,o2.jpg,i2.png,t3.tif\n"),
        "classes": (8, header + "c1,p1,A,o.jpg,i.png,t1.tif\nc2,p2,C,o2.jpg,i2.png,t3.tif\n"),
        "every_om": (16, header + "c1,p1,A,o1.jpg;o2.jpg,i1.png;i2.png,t.tif\n"),
        "only_tem": (6, "class;tem\n".replace(";", ",patient_id,case_id,") + "A,007,1,x/t.tif\n"),
        "quotes": (0, "\ufeff" + header.replace("\n", "\r\n") + '"c ""1""",p1,"A,B","o.jpg",i.png,"t 1.tif;t2.tif"\r\n'),
        "unicode": (0, header + "c1,\u60a3\u8005,\u00e4,o.jpg,i.png,t.tif\nc1,p2,A,o.jpg,i.png,t.tif\n"),
        "empty": (0, header + ",,,,,\n"),
        "only_header": (0, header),
    }
    for name, (options, text) in texts.items():
        (folder / name).write_bytes(bytes([options]) + text.encode())


def safetensors(folder):
    """The first byte: 1, a whole file; even, a header, with half as many bytes of data behind it."""
    def entry(kind, shape, begin, end):
        return '{"dtype":"%s","shape":%s,"data_offsets":[%d,%d]}' % (kind, shape, begin, end)
    two = '{"__metadata__":{"format":"pt"},"a":%s,"b.c":%s}' % (entry("F32", "[2,3]", 0, 24), entry("I64", "[]", 24, 32))
    texts = {
        "two": (32, two),
        "kinds": (35, "{" + ",".join('"%s":%s' % (kind, entry(kind, "[1]", begin, end)) for kind, begin, end in (
            ("F64", 0, 8), ("BF16", 8, 10), ("F16", 10, 12), ("U8", 12, 13), ("BOOL", 13, 14), ("I32", 14, 18), ("U64", 18, 26),
            ("I8", 26, 27), ("I16", 27, 29), ("U16", 29, 31), ("U32", 31, 35))) + "}"),
        "empty": (0, '{"a":%s}' % entry("F32", "[0,4]", 0, 0)),
        "nothing": (0, "{}  "),
        "metadata": (0, '{"__metadata__":{"a":"1\\n2","b":""}}'),
        "large": (0, '{"a":%s}' % entry("F32", "[4611686018427387904,4]", 0, 0)),
        "hole": (12, '{"a":%s}' % entry("F32", "[2]", 4, 12)),
        "overlap": (12, '{"a":%s,"b":%s}' % (entry("F32", "[2]", 0, 8), entry("F32", "[2]", 4, 12))),
        "twice": (8, '{"a":%s,"a":%s}' % (entry("F32", "[1]", 0, 4), entry("F32", "[1]", 4, 8))),
        "deep": (0, '{"a":' + "[" * 40),
    }
    for name, (count, text) in texts.items():
        (folder / name).write_bytes(bytes([2 * count]) + text.encode())
    (folder / "whole").write_bytes(b"\1" + struct.pack("<Q", len(two)) + two.encode() + bytes(32))
    (folder / "cut").write_bytes(b"\1" + struct.pack("<Q", len(two)) + two.encode() + bytes(31))
    (folder / "long").write_bytes(b"\1" + struct.pack("<Q", 1 << 40) + two.encode())


def pth(folder):
    """Files of PyTorch (tests/golden/pth), and pickles for the archive of fuzz_pth.c, behind a byte that is 0 or 1."""
    golden = Path(__file__).parent.parent / "golden" / "pth"
    for name in ("zip", "legacy", "checkpoint", "checkpoint_legacy", "pytorch2_big", "script"):
        (folder / f"{name}.pth").write_bytes((golden / f"{name}.pth").read_bytes())

    def text(value):
        return b"X" + struct.pack("<I", len(value)) + value

    def tensor(kind, key, count, offset, sizes, strides):
        storage = b"(" + text(b"storage") + b"ctorch\n%sStorage\n" % kind + text(key) + text(b"cpu") + b"K%ctQ" % count
        return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K%c" % offset + sizes + strides + b"\x89}tR"
    plain = tensor(b"Float", b"0", 12, 0, b"K\3K\4\x86", b"K\4K\1\x86")
    pickles = {
        "plain": b"}" + text(b"a") + plain + b"s.",
        "steps": b"}" + text(b"a") + tensor(b"Float", b"0", 12, 1, b"K\2K\2\x86", b"K\1K\3\x86") + b"s.",
        "expanded": b"}" + text(b"a") + tensor(b"Float", b"0", 12, 1, b"K\2K\5\x86", b"K\0K\0\x86") + b"s.",
        "kinds": b"}(" + b"".join(text(kind) + tensor(kind, key, count, 0, b"K%c\x85" % count, b"K\1\x85") for kind, key, count in (
            (b"Half", b"1", 4), (b"Long", b"2", 2), (b"Bool", b"3", 1), (b"Double", b"4", 0))) + b"u.",
        "nested": b"}" + text(b"net") + b"}" + text(b"a") + plain + b"ss.",
        "parameter": b"ccollections\nOrderedDict\n)R" + text(b"a") + b"ctorch._utils\n_rebuild_parameter\n" + plain + b"\x88}\x87Rs}"
                     + text(b"_metadata") + b"}sb.",
        "pairs": b"ccollections\nOrderedDict\n](](U\1a" + plain + b"ee\x85R.",
        "shared": b"}" + text(b"a") + plain + b"q\0s" + text(b"b") + b"h\0s.",
        "itself": b"}q\0" + text(b"a") + b"h\0s" + text(b"b") + plain + b"s.",
        "protocol4": b"\x95" + bytes(8) + b"}\x94\x8c\1a\x94" + plain + b"\x94sK\1\x8c\5torch\x8c\4Size\x93)\x85Rs.",
        "numbers": b"}(K\1J\1\0\0\0M\1\0G" + bytes(8) + b"\x8a\1\1\x8a\12" + bytes(10) + b"N\x88\x89B\1\0\0\0aC\1a]K\1a](K\1eK\2u.",
        "system": b"cos\nsystem\n" + text(b"true") + b"\x85R.",
        "module": b"(" + text(b"module") + b"tQ.",
    }
    for name, pickle in pickles.items():
        (folder / name).write_bytes(b"\0\x80\2" + pickle)
    (folder / "big").write_bytes(b"\1\x80\2" + pickles["kinds"])


def main():
    for make in (jpeg, png, tiff, manifest, shard, safetensors, pth):
        folder = Path(sys.argv[1]) / make.__name__
        folder.mkdir(parents=True, exist_ok=True)
        make(folder)


if __name__ == "__main__":
    main()
