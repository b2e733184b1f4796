/* What an S3 server answers: a page of a list, or why not. */
#include "store/s3_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void try_page(struct slice xml)
{
    _cleanup_s3_page_ struct s3_page page = {0};
    if (s3_page_read(xml, &page) < 0)
        return;
    for (size_t i = 0; i < page.n; i++)
        require(page.list[i].key && page.list[i].etag && page.list[i].size >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct slice xml = {(const char *)bytes, n};
    try_page(xml);
    char *code = s3_xml_find(xml, "Error/Code");
    require(!code || strlen(code) <= 8192);
    free(code);
    return 0;
}
