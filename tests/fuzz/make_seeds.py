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


def main():
    for make in (jpeg, png, tiff, manifest, shard):
        folder = Path(sys.argv[1]) / make.__name__
        folder.mkdir(parents=True, exist_ok=True)
        make(folder)


if __name__ == "__main__":
    main()
