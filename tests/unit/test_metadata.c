/* Which tags and texts tell of a person or a place; damaged ones. */
#include <time.h>

#include "cmus/memory.h"
#include "made_tiff.h"
#include "metadata.h"
#include "unit.h"

enum { EXIF = 0x8769, GPS = 0x8825, ORIENTATION = 0x0112, SHORT = 3, LONG = 4, RATIONAL = 5 };

static cmus_metadata read_made(const made_tiff *made) {
    cmus_metadata found = {0};
    cmus_metadata_tiff(made->bytes, made->size, &found);
    return found;
}

static void reads_orientation(void) {
    for (int kind = 0; kind < 4; kind++)
        for (uint64_t value = 0; value <= 9; value++) {
            made_tiff made = made_begin(kind & 1, kind & 2, 2);
            made_text(&made, 0x010F, "a maker");
            made_value(&made, ORIENTATION, SHORT, value);
            CU_ASSERT_EQUAL(read_made(&made).orientation, value >= 1 && value <= 8 ? (int)value : 0);
            CU_ASSERT_FALSE(read_made(&made).has_person);
        }
}

/* Latitudes as three fractions. */
static const uint8_t somewhere[24] = {0, 0, 0, 31, 0, 0, 0, 1}, nowhere[24];

static made_tiff with_position(bool big, int tag, const uint8_t *latitude) {
    made_tiff made = made_begin(false, big, 1);
    made_value(&made, GPS, LONG, 300);
    made_directory(&made, 300, 2);
    made_tag(&made, 0, 1, 4, "\2\3\0\0", 4);
    made_tag(&made, tag, RATIONAL, 3, latitude, 24);
    return made;
}

static void finds_positions(void) {
    for (int big = 0; big < 2; big++) {
        made_tiff made = with_position(big, 2, somewhere);
        CU_ASSERT_TRUE(read_made(&made).has_position);
        CU_ASSERT_FALSE(read_made(&made).has_person);
        made = with_position(big, 2, nowhere);
        CU_ASSERT_FALSE(read_made(&made).has_position);
        made = with_position(big, 7, somewhere); /* the time */
        CU_ASSERT_FALSE(read_made(&made).has_position);
    }
}

typedef struct text_case {
    int tag;
    const char *text;
    bool person;
} text_case;

static void judges_tags(void) {
    static const text_case cases[] = {
        {0x013B, "Dr. Li", true},
        {0x013B, "", false},
        {0x013B, "   ", false},
        {0x013B, "12-3", false},
        {0x013B, "李伟", true},
        {0x010E, "ImageJ=1.53t\nimages=3\n", false},
        {0x010E, "ImageJ=1.53t\nInfo=Patient Li Wei\n", true},
        {0x010E, "OLYMPUS DIGITAL CAMERA         ", false},
        {0x010E, "Kidney of Mr. Wang", true},
        {0x010D, "wang_wei.tif", true},
        {0x8298, "Second Hospital", true},
        {0x013C, "PATHOLOGY-PC3", true},
        {0x013C, "Mac OS X 10.15", false},
        {0x0131, "GIMP 2.10", false}, /* Software */
        {0x0131, "Operator: Chen", true},
        {0x010F, "Hitachi", false}, /* Make */
        {34682, "[User]\nDate=1/2/2020\nUser=supervisor\n", true},
        {34682, "[Beam]\nHV=80000\n", false},
        {65000, "\xBB\xBC\xD5\xDF 12", true}, /* "patient" in GBK */
        {700, "<x:xmpmeta><dc:creator>Li</dc:creator>", true},
        {700, "<x:xmpmeta><xmp:CreatorTool>Photoshop</xmp:CreatorTool>", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        made_tiff made = made_begin(true, i % 2, 1);
        made_text(&made, cases[i].tag, cases[i].text);
        if (read_made(&made).has_person != cases[i].person) {
            printf("tag %d, \"%s\": person %d\n", cases[i].tag, cases[i].text, !cases[i].person);
            CU_FAIL("a tag is judged wrongly");
        }
    }
}

static made_tiff with_exif(void) {
    made_tiff made = made_begin(true, false, 3);
    made_value(&made, ORIENTATION, SHORT, 6);
    made_value(&made, EXIF, LONG, 300);
    made_value(&made, GPS, LONG, 400);
    made_directory(&made, 300, 2);
    made_tag(&made, 0x9286, 7, 19, "UNICODE\0L\0i\0 \0W\0\0", 18);
    made_text(&made, 0xA430, "Li Wei");
    made_directory(&made, 400, 1);
    made_tag(&made, 4, RATIONAL, 3, somewhere, 24);
    return made;
}

static void reads_exif(void) {
    made_tiff made = with_exif();
    cmus_metadata found = read_made(&made);
    CU_ASSERT(found.orientation == 6 && found.has_person && found.has_position);
    made = made_begin(true, false, 1);
    made_value(&made, EXIF, LONG, 300);
    made_directory(&made, 300, 1);
    made_tag(&made, 0x9286, 7, 8, "ASCII\0\0\0", 8); /* an empty comment */
    CU_ASSERT_FALSE(read_made(&made).has_person);
    made = made_begin(true, false, 1);
    made_tag(&made, 0x9C9D, 1, 6, "L\0i\0\0\0", 6); /* XPAuthor in UTF-16 */
    CU_ASSERT_TRUE(read_made(&made).has_person);
    uint8_t marker[8 + sizeof made.bytes] = "Exif";
    made = with_exif();
    memcpy(marker + 6, made.bytes, made.size);
    found = (cmus_metadata){0};
    cmus_metadata_jpeg(0xE1, marker, 6 + made.size, &found);
    CU_ASSERT(found.orientation == 6 && found.has_person && found.has_position);
    for (int prefix = 0; prefix < 2; prefix++) {
        found = (cmus_metadata){0};
        cmus_metadata_png("eXIf", prefix ? marker : made.bytes, made.size + (prefix ? 6 : 0), &found);
        CU_ASSERT(found.orientation == 6 && found.has_person && found.has_position);
    }
}

static bool marker_names_person(int marker, const char *data, size_t size) {
    cmus_metadata found = {0};
    cmus_metadata_jpeg(marker, (const uint8_t *)data, size, &found);
    return found.has_person;
}

#define NAMES(marker, text) marker_names_person(marker, text, sizeof(text) - 1)

static void judges_markers(void) {
    CU_ASSERT_FALSE(NAMES(0xFE, "LEAD Technologies Inc. V1.01"));
    CU_ASSERT_FALSE(NAMES(0xFE, "CREATOR: gd-jpeg v1.0"));
    CU_ASSERT_TRUE(NAMES(0xFE, "biopsy of Li Wei"));
    CU_ASSERT_FALSE(NAMES(0xE2, "biopsy of Li Wei"));
    CU_ASSERT_TRUE(NAMES(0xE1, "http://ns.adobe.com/xap/1.0/\0<rdf:li>patient 7"));
    CU_ASSERT_FALSE(NAMES(0xE1, "http://ns.adobe.com/xap/1.0/\0<xmp:CreatorTool>Photoshop"));
    /* image resources: a resolution; IPTC with a version and a program; IPTC with a caption */
    CU_ASSERT_FALSE(NAMES(0xED, "Photoshop 3.0\0"
                                "8BIM\x03\xED\0\0\0\0\0\x07"
                                "\x1C\2\x78\0\2Li"));
    CU_ASSERT_FALSE(NAMES(0xED, "Photoshop 3.0\0"
                                "8BIM\x04\x04\0\0\0\0\0\x0F"
                                "\x1C\2\0\0\2\0\2"
                                "\x1C\2\x41\0\3ABC"));
    CU_ASSERT_TRUE(NAMES(0xED, "Photoshop 3.0\0"
                               "8BIM\x03\xED\1A\0\0\0\3abc\0"
                               "8BIM\x04\x04\0\0\0\0\0\x0E"
                               "\x1C\2\0\0\2\0\2"
                               "\x1C\2\x78\0\2Li"));
}

typedef struct chunk_case {
    const char *name, *data;
    size_t size;
    bool person, position;
} chunk_case;

#define CHUNK(name, data) name, data, sizeof(data) - 1

static void judges_chunks(void) {
    static const chunk_case cases[] = {
        {CHUNK("tEXt", "Author\0Li Wei"), true, false},
        {CHUNK("tEXt", "Comment\0Created with GIMP"), false, false},
        {CHUNK("tEXt", "Software\0Adobe ImageReady"), false, false},
        {CHUNK("tEXt", "date:create\0"
                       "2020-01-01T00:00:00+00:00"),
         false, false},
        {CHUNK("tEXt", "PatientName\0"
                       "17"),
         true, false},
        {CHUNK("tEXt", "Author"), false, false},
        {CHUNK("tEXt", ""), false, false},
        {CHUNK("tEXt", "exif:GPSLatitude\0"
                       "31/1"),
         false, true},
        {CHUNK("zTXt", "Description\0\0compressed"), true, false},
        {CHUNK("zTXt", "Raw profile type iptc\0\0compressed"), true, false},
        {CHUNK("zTXt", "Raw profile type icc\0\0compressed"), false, false},
        {CHUNK("iTXt", "Title\0\0\0zh\0\xE9\xA2\x98\0\xE6\x9D\x8E"), true, false},
        {CHUNK("iTXt", "Title\0\0\0en\0\0"), false, false},
        {CHUNK("iTXt", "Title\0\0\0de\0Titel\0"), false, false},
        {CHUNK("iTXt", "Title\0"), false, false},
        {CHUNK("iTXt", "Title\0\1\0\0\0compressed"), true, false},
        {CHUNK("iTXt", "XML:com.adobe.xmp\0\0\0\0\0<exif:GPSLatitude>31"), false, true},
        {CHUNK("iTXt", "XML:com.adobe.xmp\0\0\0\0\0<dc:creator>Li"), true, false},
        {CHUNK("iCCP", "Author\0Li Wei"), false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cmus_metadata found = {0};
        uint8_t *data = cmus_allocate(cases[i].size, 1); /* of that size, so that the sanitizer sees its end */
        memcpy(data, cases[i].data, cases[i].size);
        cmus_metadata_png(cases[i].name, data, cases[i].size, &found);
        cmus_free(data);
        if (found.has_person != cases[i].person || found.has_position != cases[i].position) {
            printf("%s %s: person %d, position %d\n", cases[i].name, cases[i].data, found.has_person,
                   found.has_position);
            CU_FAIL("a chunk is judged wrongly");
        }
    }
}

/* Cut anywhere and with any wrong byte: read within its memory, and to an end. */
static void bears_damage(void) {
    made_tiff made = with_exif();
    uint32_t state = 1;
    for (size_t i = 0; i < 4000; i++) {
        size_t size = i < made.size ? i : made.size;
        uint8_t *data = cmus_allocate(size, 1);
        memcpy(data, made.bytes, size);
        for (int k = 0; k < 3 && i >= made.size; k++) {
            state = state * 1664525 + 1013904223;
            data[(state >> 8) % 450] = (uint8_t)(state >> 24);
        }
        cmus_metadata found = {0};
        cmus_metadata_tiff(data, size, &found);
        CU_ASSERT(found.orientation >= 0 && found.orientation <= 8);
        cmus_free(data);
    }
}

/* 65535 entries of one text of 700 kB, and as many directories in one another. */
static void ends_soon(void) {
    enum { ENTRIES = 65535, SIZE = 10 + 12 * ENTRIES };
    for (int text = 0; text < 2; text++) {
        uint8_t *data = cmus_allocate(SIZE, 1);
        memcpy(data, "MM\0*\0\0\0\x08\xFF\xFF", 10);
        for (size_t i = 0; i < ENTRIES; i++)
            memcpy(data + 10 + 12 * i, text ? "\x01\x31\0\2\0\x0A\xAE\x60\0\0\0\x08" : "\x87\x69\0\4\0\0\0\1\0\0\0\x08",
                   12);
        clock_t start = clock();
        cmus_metadata found = {0};
        cmus_metadata_tiff(data, SIZE, &found);
        CU_ASSERT((clock() - start) / CLOCKS_PER_SEC < 10);
        cmus_free(data);
    }
}

int main(void) {
    static const unit_test tests[] = {
        {"reads the orientation", reads_orientation},
        {"finds positions", finds_positions},
        {"judges tags", judges_tags},
        {"reads EXIF", reads_exif},
        {"judges JPEG markers", judges_markers},
        {"judges PNG chunks", judges_chunks},
        {"bears damage", bears_damage},
        {"ends soon", ends_soon},
    };
    return unit_main("metadata", tests, sizeof tests / sizeof tests[0]);
}
