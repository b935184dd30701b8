"""What shops and other services call kinds of garment, as data."""

from jobs.records import Slot

#: Slot → usual words beside those that docs/manifests.md lists, without blanks, `-` and `_` (see `aliases.plain`).
KINDS = {
    Slot.UPPER_CLOTHES: """
        tshirt tshirts tee tees shirt shirts shirts&tops tops&tees topsandtees blouse blouses shirts&blouses poloshirt
        poloshirts polo polos sweater sweaters sweaters&cardigans pullover pullovers cardigan cardigans knitwear
        hoodie hoodies sweatshirt sweatshirts hoodies&sweatshirts jacket jackets coat coats coats&jackets
        jackets&coats blazer blazers vest vests waistcoat waistcoats tanktop tanktops camisole camisoles tunic
        tunics croptop croptops parka parkas
        t恤 t恤衫 衬衫 衬衣 上装 卫衣 毛衣 针织衫 毛针织衫 外套 夹克 大衣 风衣 羽绒服 棉衣 棉服 马甲 马夹 背心
        上身 上半身 吊带 吊带衫 polo衫 雪纺衫 蕾丝衫 毛呢外套 短外套 皮衣 开衫 西装外套""",
    Slot.LOWER_CLOTHES: """
        jean jeans trouser chino chinos shorts skirts legging leggings jogger joggers sweatpants culottes
        capris cargopants skort skorts denimpants pants&shorts
        牛仔裤 休闲裤 短裤 长裤 西裤 运动裤 打底裤 阔腿裤 半裙 短裙 裤装 工装裤 下身 下半身""",
    Slot.DRESS: """
        gown gowns jumpsuit jumpsuits romper rompers jumpsuits&rompers playsuit playsuits onepieces overall overalls
        dungarees full fullbody weddingdress weddingdresses eveningdress eveningdresses mididress mididresses maxidress
        maxidresses minidress minidresses
        旗袍 连体裤 连衣裤 连身裙 全身""",
}  # fmt: skip
