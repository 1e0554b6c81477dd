#!/usr/bin/env python3
"""Images for pack.sh: makes small case trees, and compares shards with what Pillow makes of the same files.

    pack_images.py formats DIR          one case whose TEM images are of every kind that cmus-pack reads
    pack_images.py compare SHARD DIR [FILTER LO,HI]
                                        every image of the shard against Pillow; exit 1 if one differs
    pack_images.py cases DIR N COLOURS  N small cases of classes A, B, C; TEM images gray or rgb
"""
import struct
import sys
import zlib
from pathlib import Path

import h5py
import numpy as np
from PIL import Image, ImageOps

random = np.random.default_rng(7)
filter_used, window = Image.BILINEAR, None  # of what is compared; None: the own range of each image


def picture(width, height, mode="RGB", bits=8):
    """Smooth with some noise, so that JPEG is not all noise and palettes are not trivial."""
    shape = (height, width) if mode == "L" else (height, width, len(mode))
    y, x = np.mgrid[:height, :width]
    base = np.sin(x / 7.0) + np.cos(y / 5.0)
    base = base if mode == "L" else base[..., None] * np.linspace(0.5, 1, len(mode))
    values = (base + 2) / 4 + random.normal(0, 0.03, shape)
    return (np.clip(values, 0, 1) * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)


def png(path, array, bits, colour):
    """A PNG file by hand: Pillow writes no 16-bit RGB."""
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    height, width = array.shape[:2]
    rows = b"".join(b"\0" + array[y].astype(">u2" if bits == 16 else "u1").tobytes() for y in range(height))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
                     + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def tiff(path, array, order=">", tile=0, photometric=1, orientation=1):
    """An uncompressed gray TIFF by hand, in either byte order, in one strip or in tiles."""
    height, width = array.shape
    size = array.dtype.itemsize
    if tile:
        padded = np.zeros((-(-height // tile) * tile, -(-width // tile) * tile), array.dtype)
        padded[:height, :width] = array
        parts = [padded[y:y + tile, x:x + tile] for y in range(0, padded.shape[0], tile)
                 for x in range(0, padded.shape[1], tile)]
    else:
        parts = [array]
    data = [part.astype(array.dtype.newbyteorder(order)).tobytes() for part in parts]
    tags = [(256, 4, [width]), (257, 4, [height]), (258, 3, [8 * size]), (259, 3, [1]), (262, 3, [photometric]),
            (274, 3, [orientation]), (277, 3, [1])]
    count = len(data)
    if tile:
        tags += [(322, 4, [tile]), (323, 4, [tile]), (324, 4, None), (325, 4, [len(d) for d in data])]
    else:
        tags += [(273, 4, None), (278, 4, [height]), (279, 4, [len(d) for d in data])]
    tags.sort(key=lambda tag: tag[0])
    directory = 8 + 2 + 12 * len(tags) + 4
    lists = directory + 8 * count
    places = [lists + sum(len(d) for d in data[:i]) for i in range(count)]
    out = (b"MM" if order == ">" else b"II") + struct.pack(order + "HI", 42, 8) + struct.pack(order + "H", len(tags))
    extra = b""
    for tag, kind, values in tags:
        values = places if values is None else values
        packed = struct.pack(order + ("I" if kind == 4 else "H") * len(values), *values)
        if len(packed) > 4:
            packed, extra = struct.pack(order + "I", directory + len(extra)), extra + packed
        out += struct.pack(order + "HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    out += struct.pack(order + "I", 0) + extra.ljust(8 * count, b"\0") + b"".join(data)
    path.write_bytes(out)


# Huffman tables of the hand-made JPEG files: DC differences of 0 to 11 bits with codes of 4 bits, "end of block" alone.
DC_CODES, AC_CODES = list(range(12)), [0]


def huffman(number, lengths, symbols):
    counts = bytes(lengths.count(n) for n in range(1, 17))
    return b"\xFF\xC4" + struct.pack(">H", 19 + len(symbols)) + bytes([number]) + counts + bytes(symbols)


def jpeg(path, width, height, factors, adobe=None, restart=0):
    """A baseline JPEG by hand, of any sampling factors: Pillow writes three of them only. Each block has one value.

    factors: (horizontal, vertical) of each component; adobe: the transform of an Adobe marker; restart: MCUs
    """
    bits = []

    def put(value, length):
        bits.extend(value >> i & 1 for i in range(length - 1, -1, -1))

    def flush(out):
        bits.extend([1] * (-len(bits) % 8))
        for i in range(0, len(bits), 8):
            byte = int("".join(map(str, bits[i:i + 8])), 2)
            out += bytes([byte, 0]) if byte == 255 else bytes([byte])
        bits.clear()

    count = len(factors)
    wide, high = max(h for h, _ in factors), max(v for _, v in factors)
    columns, rows = -(-width // (8 * wide)), -(-height // (8 * high))
    out = bytearray(b"\xFF\xD8")
    if adobe is not None:
        out += b"\xFF\xEE" + struct.pack(">H5sHHHB", 14, b"Adobe", 100, 0, 0, adobe)
    out += b"\xFF\xDB" + struct.pack(">HB", 67, 0) + bytes([8] * 64)
    out += b"\xFF\xC0" + struct.pack(">HBHHB", 8 + 3 * count, 8, height, width, count)
    for i, (h, v) in enumerate(factors):
        out += bytes([i + 1, h << 4 | v, 0])
    out += huffman(0x00, [4] * 12, DC_CODES) + huffman(0x10, [1], AC_CODES)
    if restart:
        out += b"\xFF\xDD" + struct.pack(">HH", 4, restart)
    out += b"\xFF\xDA" + struct.pack(">HB", 6 + 2 * count, count) + b"".join(bytes([i + 1, 0]) for i in range(count))
    out += bytes([0, 63, 0])
    before = [0] * count
    for mcu in range(columns * rows):
        if restart and mcu and mcu % restart == 0:
            flush(out)
            out += bytes([0xFF, 0xD0 + (mcu // restart - 1) % 8])
            before = [0] * count
        for i, (h, v) in enumerate(factors):
            for _ in range(h * v):
                value = int(random.integers(-120, 120))
                difference, before[i] = value - before[i], value
                length = abs(difference).bit_length()
                put(length, 4)
                put(difference if difference > 0 else difference + (1 << length) - 1, length)
                put(0, 1)
    flush(out)
    path.write_bytes(out + b"\xFF\xD9")


def packed_tiff(path, values, bits):
    """A gray TIFF of 9 to 15 bits a sample, packed."""
    tiff(path, values.astype(np.uint16), "<")
    rows = ["".join(format(v, f"0{bits}b") for v in row) for row in values]
    data = b"".join(int(row + "0" * (-len(row) % 8), 2).to_bytes(-(-len(row) // 8), "big") for row in rows)
    content = bytearray(path.read_bytes())
    start = len(content) - 2 * values.size
    for place in range(10, 10 + 12 * 10, 12):
        tag, = struct.unpack_from("<H", content, place)
        if tag == 258:
            struct.pack_into("<H", content, place + 8, bits)
        if tag == 279:
            struct.pack_into("<I", content, place + 8, len(data))
    path.write_bytes(bytes(content[:start]) + data)


def big_tiff(path, array):
    """An uncompressed BigTIFF of RGB in separate planes, of which each is two strips."""
    height, width = array.shape[:2]
    half = (height + 1) // 2
    data = [array[y:y + half, :, c].tobytes() for c in range(3) for y in (0, half)]
    tags = [(256, 4, [width]), (257, 4, [height]), (258, 3, [8, 8, 8]), (259, 3, [1]), (262, 3, [2]), (273, 16, None),
            (277, 3, [3]), (278, 4, [half]), (279, 16, [len(d) for d in data]), (284, 3, [2])]
    lists = 16 + 8 + 20 * len(tags) + 8
    places = [lists + 16 * len(data) + sum(len(d) for d in data[:i]) for i in range(len(data))]
    out, extra = b"II" + struct.pack("<HHHQQ", 43, 8, 0, 16, len(tags)), b""
    for tag, kind, values in tags:
        values = places if values is None else values
        packed = struct.pack("<" + {3: "H", 4: "I", 16: "Q"}[kind] * len(values), *values)
        if len(packed) > 8:
            packed, extra = struct.pack("<Q", lists + len(extra)), extra + packed
        out += struct.pack("<HHQ", tag, kind, len(values)) + packed.ljust(8, b"\0")
    path.write_bytes(out + struct.pack("<Q", 0) + extra + b"".join(data))


def more_formats(case):
    """What Pillow does not write, and combinations that are rare."""
    for name, factors in (("411", [(4, 1), (1, 1), (1, 1)]), ("440", [(1, 2), (1, 1), (1, 1)]),
                          ("410", [(4, 2), (1, 1), (1, 1)]), ("odd", [(2, 2), (1, 2), (2, 1)])):
        jpeg(case / f"TEM_hand_{name}.jpg", 61, 45, factors)
    jpeg(case / "TEM_hand_rgb.jpg", 61, 45, [(1, 1)] * 3, adobe=0, restart=5)
    jpeg(case / "TEM_hand_cmyk.jpg", 61, 45, [(1, 1)] * 4)
    jpeg(case / "TEM_hand_cmyk_adobe.jpg", 61, 45, [(1, 1)] * 4, adobe=0)
    jpeg(case / "TEM_hand_ycck.jpg", 61, 45, [(2, 2), (1, 1), (1, 1), (2, 2)], adobe=2, restart=2)
    rgb, gray = Image.fromarray(picture(90, 70)), Image.fromarray(picture(61, 83, "L"))
    gray.save(case / "TEM_jpeg_progressive_gray.jpg", progressive=True)
    Image.merge("RGB", [gray] * 3).save(case / "TEM_png_gray_in_rgb.png")
    rgb.quantize(40).save(case / "TEM_png_palette_alpha.png", transparency=bytes(range(0, 240, 6)))
    rgb.save(case / "TEM_png_rgb_key.png", transparency=rgb.getpixel((3, 4)))
    gray.save(case / "TEM_png_gray_key.png", transparency=gray.getpixel((5, 6)))
    for bits in (1, 2, 4):
        gray.convert("P").quantize(2**bits).save(case / f"TEM_png_palette_{bits}bit.png", bits=bits)
    for name, image, options in (("rgb_lzw", rgb, {}), ("la", Image.fromarray(picture(50, 40)[..., :2], "LA"), {}),
                                 ("rgba", Image.fromarray(picture(50, 40, "RGBA")), {"compression": "tiff_deflate"}),
                                 ("rgbx", Image.fromarray(picture(50, 40, "RGBA"), "RGBX"), {}),
                                 ("jpeg_gray", gray, {"compression": "jpeg"}),
                                 ("palette_lzw", rgb.quantize(30), {"compression": "tiff_lzw"}),
                                 ("group4", gray.convert("1"), {"compression": "group4"})):
        image.save(case / f"TEM_tiff_{name}.tif", **options)
    truth = {}
    for bits in (10, 12):
        name = f"TEM_tiff_deep{bits}.tif"
        truth[name] = picture(45, 77, "L", bits)
        packed_tiff(case / name, truth[name], bits)
    values = picture(33, 44, "L", 16) // 3
    tiff(case / "TEM_tiff_white16.tif", values, photometric=0)
    truth["TEM_tiff_white16.tif"] = values
    truth["TEM_tiff_bigtiff_planes.tif"] = picture(45, 77)
    big_tiff(case / "TEM_tiff_bigtiff_planes.tif", truth["TEM_tiff_bigtiff_planes.tif"])
    np.savez(case.parent.parent.with_suffix(".npz"), **truth)  # what Pillow does not read


def formats(folder):
    case = folder / "A" / "p1"
    case.mkdir(parents=True)
    rgb, gray = Image.fromarray(picture(90, 70)), Image.fromarray(picture(61, 83, "L"))
    Image.fromarray(picture(300, 200)).save(case / "OM_1.JPG", quality=90)
    Image.fromarray(picture(64, 64)).save(case / "IM_1.jpeg", quality=90, progressive=True)
    for name, subsampling in (("444", 0), ("422", 1), ("420", 2)):
        rgb.save(case / f"TEM_jpeg_{name}.jpg", subsampling=subsampling, quality=85)
    gray.save(case / "TEM_jpeg_gray.jpg")
    rgb.convert("CMYK").save(case / "TEM_jpeg_cmyk.jpg")
    rgb.save(case / "TEM_jpeg_restart.jpg", restart_marker_blocks=3)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        rgb.save(case / f"TEM_jpeg_exif{orientation}.jpg", exif=exif)
    rgb.save(case / "TEM_png_rgb.png")
    gray.save(case / "TEM_png_gray.png")
    rgb.quantize(200).save(case / "TEM_png_palette.png")
    rgb.quantize(11).save(case / "TEM_png_palette4.png", bits=4)
    gray.convert("1").save(case / "TEM_png_1bit.png")
    Image.fromarray(picture(50, 40, "RGBA")).save(case / "TEM_png_rgba.png")
    Image.fromarray(picture(50, 40)[..., :2], "LA").save(case / "TEM_png_la.png")
    png(case / "TEM_png_gray16.png", picture(40, 50, "L", 16) // 9 + 3000, 16, 0)
    png(case / "TEM_png_rgb16.png", picture(40, 50, "RGB", 16), 16, 2)
    for name, compression in (("raw", None), ("lzw", "tiff_lzw"), ("deflate", "tiff_adobe_deflate"),
                              ("packbits", "packbits"), ("jpeg", "jpeg")):
        rgb.save(case / f"TEM_tiff_{name}.tif", compression=compression)
    gray.save(case / "TEM_tiff_gray.TIFF", compression="tiff_lzw")
    rgb.quantize(99).save(case / "TEM_tiff_palette.tif")
    gray.convert("1").save(case / "TEM_tiff_1bit.tif")
    rgb.convert("CMYK").save(case / "TEM_tiff_cmyk.tif")
    rgb.save(case / "TEM_tiff_pages.tif", save_all=True, append_images=[gray.convert("RGB")])
    for order, name in ((">", "big"), ("<", "little")):
        tiff(case / f"TEM_tiff_{name}16.tif", picture(45, 77, "L", 16) // 5 + 100, order)
        tiff(case / f"TEM_tiff_{name}_tiles.tif", picture(45, 77, "L"), order, tile=32)
        tiff(case / f"TEM_tiff_{name}16_tiles.tif", picture(45, 77, "L", 16) // 3, order, tile=16)
    tiff(case / "TEM_tiff_white.tif", picture(33, 44, "L"), photometric=0)
    tiff(case / "TEM_tiff_turned.tif", picture(33, 44, "L"), orientation=6)
    more_formats(case)
    for width, height in ((2, 1), (3, 400), (400, 3), (64, 64), (63, 65), (1500, 1100)):
        Image.fromarray(picture(width, height)).save(case / f"TEM_size_{width}x{height}.png")


def stretch(array):
    low, high = window or (int(array.min()), int(array.max()))
    return ((np.clip(array.astype(np.int64), low, high) - low) * 510 + (high - low)) // (2 * (high - low))


def expected(path, side, truth):
    """What should be in the shard, by Pillow; by the documented rules where Pillow has none."""
    name = path.name
    if name in truth:
        values = truth[name] if truth[name].dtype == np.uint8 else stretch(truth[name]).astype(np.uint8)
        return small(Image.fromarray(255 - values if "white" in name else values), side)
    image = Image.open(path)
    if image.format == "PNG" and "transparency" in image.info:
        image = image.convert("RGBA")
    if any(kind in name for kind in ("_gray16", "_big16", "_little16")):
        image = Image.fromarray(stretch(np.array(image).astype(np.uint16)).astype(np.uint8))
    elif "_rgb16" in name:  # Pillow drops the low byte; rounding is nearer
        raw = zlib.decompress(b"".join(c for c in idat(path)))
        rows = np.frombuffer(raw, np.uint8).reshape(image.height, -1)[:, 1:]
        values = np.ascontiguousarray(rows).view(">u2").astype(np.uint32).reshape(image.height, image.width, 3)
        image = Image.fromarray(((values * 255 + 32895) >> 16).astype(np.uint8))
    elif image.mode in ("RGBA", "LA"):
        pixels = np.array(image).astype(np.uint32)
        alpha = pixels[..., -1:]
        flat = ((pixels[..., :-1] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
        image = Image.fromarray(flat if flat.shape[-1] == 3 else flat[..., 0])
    elif image.format == "TIFF":
        image.load()  # turns it upright by itself
    else:
        image = ImageOps.exif_transpose(image)
    return small(image, side)


def small(image, side):
    return np.asarray(image.convert("RGB").resize((side, side), filter_used))


def idat(path):
    data, place = path.read_bytes(), 8
    while place < len(data):
        length, = struct.unpack_from(">I", data, place)
        if data[place + 4:place + 8] == b"IDAT":
            yield data[place + 8:place + 8 + length]
        place += 12 + length


def compare(shard, folder):
    differ = number = tem = 0
    truth = folder.with_suffix(".npz")
    truth = np.load(truth) if truth.exists() else {}
    with h5py.File(shard, "r") as file:
        side, offset = int(file.attrs["image_size"]), file["tem_offset"][:]
        for case in range(len(file["label"])):
            for name in ["om", "im"] + ["tem"] * int(offset[case + 1] - offset[case]):
                source = file["source"][number].decode().split("  ", 1)[1]
                got = file[name][tem if name == "tem" else case]
                tem += name == "tem"
                number += 1
                want = expected(folder / source, side, truth)
                if not np.array_equal(np.broadcast_to(got, want.shape), want):
                    worst = np.abs(np.broadcast_to(got, want.shape).astype(int) - want).max()
                    print(f"{source}: differs from Pillow by up to {worst}")
                    differ += 1
    print(f"{number} images, {differ} differ from Pillow")
    sys.exit(differ > 0 or number == 0)


def cases(folder, count, colours):
    for i in range(count):
        case = folder / "ABC"[i % 3] / f"p{i // 2}"
        case.mkdir(parents=True)
        Image.fromarray(picture(70, 50)).save(case / "OM_x_1.png")
        Image.fromarray(picture(50, 70)).save(case / "IM_x_1.jpg")
        for k in (1, 2, 10)[:1 + i % 3]:
            mode = "L" if colours == "gray" else "RGB"
            Image.fromarray(picture(40 + k, 60, mode)).save(case / f"TEM_x_{k}.tif")


if __name__ == "__main__":
    if sys.argv[1] == "formats":
        formats(Path(sys.argv[2]))
    elif sys.argv[1] == "compare":
        if len(sys.argv) > 4:
            filter_used, window = getattr(Image, sys.argv[4]), tuple(map(int, sys.argv[5].split(",")))
        compare(sys.argv[2], Path(sys.argv[3]))
    else:
        cases(Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
