/* The images of a case's page, with their heat maps. */
#ifndef CMUS_PAGE_IMAGES_H
#define CMUS_PAGE_IMAGES_H

#include "cmus/case_picture.h"
#include "cmus/file.h"

/* Sections with a headline: OM, IM, TEM. IO. */
cmus_status cmus_page_images(cmus_file_writer *writer, const cmus_case_picture *picture);

#endif
