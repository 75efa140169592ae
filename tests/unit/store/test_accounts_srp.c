/* store/accounts: SRP-6a against vectors that amazon-cognito-identity-js 3.3.3 (key, signature) and
 * BigInt arithmetic (v, B) computed; and what is sealed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "store/accounts/srp.h"
#include "store/accounts/srp_secrets.h"

typedef struct {
    const char *pool, *user, *password;
    const char *salt, *secret; /* hex, as all below */
    const char *verifier, *server_public, *client_public, *key, *block, *signature;
} vector_t;

/* The second salt begins with a zero byte, the third with a set bit; then a short A, a u that
 * begins with a zero byte, a short B. */
static const vector_t s_vectors[] = {
    {.pool = "chat",
     .user = "ann",
     .password = "correct horse 1",
     .salt = "e9491e243f43b0c80231257fcc0b57c0",
     .secret = "7b21da6f54852b44fd48e0bb5987b8a6bd493bb4263af7643cd2e67dc03d07f6",
     .verifier =
         "5f4b4c4d38b9352bcd68d2db76927fd9f17cdd34451a8143443b4bbae69c0f655126c606ff444ffb9868"
         "bbbdb103c787988326213f0b0ea3054c49a796e080766aaff5abf66bf68732a821edc2ffc75709448402"
         "f8809cb091b3755bb2e2bd70c59549fc307a0db77da4c4d1a26f79e40dd6dfd4f84f7924f51286f29f39"
         "a84dbf994458bee271a3f36837e74501b1949ae6335cf9e65c4c16315d3301c96bb5e2b5b6d8e9b2d3e4"
         "d21d052ee0663eafd9b65d7cfff4c0c1a21140e4684b0fef60e274bd573e6c2dfe138ad48a0cef5c6f2b"
         "d431f1a28acc7f94c2bb5e6ebc1a4f81f6a51cf89a2877bcab93d32b60841c0b50b6393e26fc26cb0a59"
         "dd4af162dd8762caacd1876f85518eed72dfdef62b6f010c5cdd92e9f4f05614601d9a9295dd5d1be4c1"
         "d1d33846bb2285e289bcfb90d83e980d1af3e51136531426ee1d481c924ea60b61d038c088c7ee49e648"
         "5e0d49025fee99c63f918a6cd02a426edb57ada40d8e37623e501fa05811a74d40e821868237059ef3b4"
         "23b76df98647",
     .server_public =
         "2542091624788c5ff898746dcfb475e2b52e573ace9b9c61f8d5263a944de1b1d79c977874e3fa92daa1"
         "eeff3cd454c1c86ffe210a49b284f6d3525d42a0fbb1fb62afeb3d09ee484e233b58150a94cb2ccfdb20"
         "99d570c0dae6c563d2239fe790d168d4524689e11ad96164454be6357ab1bc690a6093e3bd4f31612f2b"
         "02cbcebe069be80083cd0e4791ee1f42d0e6eb1bdfd623b345fdfc6bfade7084b3dd31e8be297f07e607"
         "eb58a8313f807e309375f63885649afb9923c37511d9e06084cc0752380d682b1033e7a66f6c4b947df3"
         "4cb45f95bfe67a7feb3e30d86b8ceb75556ebb67d42dfcd09cc444aa1da7e5d066bc41bfc2ea043cbded"
         "92e9d4ef1f13236666e8dcbef2e3478b3ad515db3622f95950db8c010eac7524703fb4234cace247f964"
         "a9db99fba3e3fbc855781a8831cb01729cfd79bf5c7ebae9a82cf4547b677c075b01acbd3e2d150421b2"
         "7e5efb23b1c4fcbcd0ff23b5ef14b449936d1b186c748f870c357792166c0d198813ec710650204b0eeb"
         "0b7e4fc1d739",
     .client_public =
         "9ff721aee85653993f4f2c4fa041692d0af058e1354603fafbb1be30b10b74cb06c515af3991c9e1a21b"
         "556860938d356ed15b8ae61c9189fae615d4c14c4b5258abbb55a405acda40e465a98faee479b70c5689"
         "609d5bdedf30b210f0194b841108bde0863f66f45266112f688ca07246aeca7d5b0709cf2cbcea6fc9f1"
         "94ce3c797e517cfbf6bd99dfec5d328069d3982c79bec4c00cd46f30a1602d9938658a60d086c853da11"
         "22540085d8de63a6945b4132017919799cf2528891492dbc6431d7da2484dbcdf191b9cc69d81442da5e"
         "5f3a0bed40639ac2fd40b43aaebcd5ef7e66d3238dbb36290fd4f339659e687b20aad32e2891cd78f03f"
         "e89ea3077d6e89617db61d985d7004196f8f660dd942b6f107bc55bbaf7a5db0e277c98f936ebf79e810"
         "b0a3fbcc54cd4db676ed5b503a5c6bc55f765809a26a50844742e975355326b09c6dd36ac4696d8045e9"
         "15299f639b691d6f9435937df91791046512061a2faf1f901ce8c9c546f5bd7382d10f2ae8962234210f"
         "605807fa2399",
     .key = "a569cfb09ca86dc81eead158a567fdd1",
     .block = "7bc50c2671923500020da77c8698ff6e1d3a8758bbeb8a31cd436a4430b9039f480c77082170d544d915"
              "fad331a34b50",
     .signature = "dbc476c89e5d8091b74d4dad7f001e668c38127c2d74c935fd7bcca4d0fb1741"},
    {.pool = "chat",
     .user = "zoë",
     .password = "pässwörd 1",
     .salt = "003f8fc405dfffbfee928a02d02d9687",
     .secret = "87a6b89739778f3482c9a78b82b81fb275dbd632389e8522864c68695931c90c",
     .verifier =
         "6c956e99e3b3007937084d5aed21ac9cd4005ba1339c75a225f8edf97b580c8b6c9580b02be8c2bd3042"
         "d3fdfe373e885fe1939e1497967a64090010ac1052f16f8058a79e46f016b31f61f8151953aacb6a289a"
         "0c5b7a23ff171bd127ae6463d78f5eb7d25c9c521147a0cca3a5c774fb3413c9bffe6104e464b0ba671b"
         "72307d089adffb6ba528d0ea6d10779aa6ff4b0e0e0dc20f321414ee88772a5c05e03592dd099496eb9c"
         "ccc8cb5a5b8eda3de36aed5072eec8f4938f3e42cac890bc4c741e328569d3140ce77c66c5d99b3a5f72"
         "aa6635bcd19c566af30a67f4a3ed19cc3f937399f7796e6c16343f4a6cebad9ccb2b9c386426e9fefe94"
         "9b25daf10715f5e35961f8575b40e79f27b9881071e7d9e3ed7c6b09f58fb0efaf23963a4a97f4fee8bc"
         "f1bb70840bb7efb1861ca013ddea413dccb3b43c721e9a33ccb0f9f9c95dc40641d2787e8e6160ad11a3"
         "064736e1ee4022675c98be7a3e80e58c5a865c26a770df946786e0a51cfdcfd01d80846e4a1f94d9d904"
         "d3041b6ec9bb",
     .server_public =
         "4424e3c86d135ef78bfa7b6c3fcc99279f9b1f65412754f8e0f594987b79eae05c5895561f74c17ee445"
         "e924207efb7a9d0aff95765ea7f999cf2dd5fbe0e4a012f50a7578487754568f5fcbab6dfaf7e33c7a2f"
         "8f9a208f9d747ebd6f6ca6a0b585f740f60d695d6270580601cad3ac46b03377407bd12c043f3d98e776"
         "a4bd2322e0d66f166f586b23cdee3b960ebe4754780e430dcf1a45ae7b334f7743d725151d9a1edc5fec"
         "e7addac28a0f745ec3b2f5dcea2f3c51463a3acd71bff64196dee259ecae1307183ce8e27d883efd3d51"
         "7895cc58e6cd66cd585be2876f59c46a4cc5fc052a8a9547fe5f31c82334db0d68e8b63c705a63cad988"
         "03b98e7943e203bfe29c750fbcf523e4ae87eba27f203a9249afd6b8d8e3761300ee5a035c69a2661e19"
         "5fd4eb689d4b2dcd16606b6236439fbd7d3316dbb20b70a22d49c2dd93ff0f276edab79939eaa466c8d6"
         "e30cd2b6c6cc80758fd1a029e7113841f698be9de603f164910a7cfb02e5bcf03bfe38eebf5748931b68"
         "ee9314dd07c2",
     .client_public =
         "38061f061a0f28cdbdc14ef800cafbf664b947c2b692f3fe64350d3aa21017884d9cd4258ee967c9cae2"
         "21b6fc312dfbc9e5d3d89d04a9ff06c7dc331106c6d976777d29afb777791f8a0fe83bdb5a3900eff876"
         "720010b523fa6c59c35e0219a08817ab25918254d4897e1cd52ba2c7281b350b483ae563b9e1de6a1919"
         "ba7146c6ae6df0bdb8a1d6c4bc05c6939785ff18cd310f971cc6e34d2fc3178bb66a23ce105bdc9058f7"
         "262f8de6d833a0e4d6e7d92653ff2c6a3646495a127c763fbb08ad3adb5d3bd01574cd9750510e3f7e79"
         "e6345d7a5c057edbdabc3c4e156891c76eb32ef2ee1c75ba45154f5477aeceba27791350d138299c3d53"
         "fa4619d8b49a059256ab972d6bd00a7ced1b0ddd3800b5dd39b31d0ba42604ff088f385f598dce057f0b"
         "ebc5692220e7c817f2d4816fd6ea5e199592747c4ea5090f9d6333916a1e491396dad1b1498a3b92f228"
         "1f0e78653ff465a4d0f3f9075d26bd1f6ba5b6c34d7fbf6af17de29ada2e8928970ff632fdd797595e46"
         "70e4668c9e95",
     .key = "4fc143751733eb96540714b54f75bf7a",
     .block = "7bf6ad986d25d94487e3beb9995b24bb096c231f528f02a730605e0d549ef7ec48287eb6bae7dc5b4283"
              "bc700a7af9a6",
     .signature = "7da6de2b86f4315fabae52c2baa54d3a95f34da59557a12f941ec135ce313dde"},
    {.pool = "x_y",
     .user = "王小明",
     .password = "p4ssw0rd!",
     .salt = "af3ab66f3f978f7ea48df7fd93405012",
     .secret = "1a82eef949c3004cf622220e917a4f44a2ac718083e354ade1a563bac443295f",
     .verifier =
         "2050baacb445557192b66e33a442e2146e90f0851711e176fdbbecf32143bf09856c9fa155279a930b2c"
         "22637446258b4bb641a5e38835de73b83c84e71af56404526413dc498a46a8a65d927606747257b4a87b"
         "37b7f3f1c4f2d7338da32b3e79341d2310b52e737c5fb01e586d71b7065b72ba24151e7e77c98992db28"
         "9c58cc50067fa3028ff6e19fcf9ba90cf35bffdf14cbeacf64157b8e89bfd20fd8d536eb0869eb141415"
         "fdb3d35492622aef465c3ed8dd2b80da4064cc7a3fb1b8f76997e6d3bf15913e7fdc730666300b5ee7d0"
         "59081351cdb739d6c242ab9f0718b314d54820bd1b114419130fdc387737738289f31d76b6ed3ba92c59"
         "16fdeb47bc4532eb6c1d7e24ec875ae5685aa943e2a92560a5826dd92db9098d5e1eeec53f628e054aa8"
         "3ffdbda3d42aabf2819fca789e80930cebc4d5a314be2eee1f5f7d7def1386cf783bd1e273a47b91c6b3"
         "2ac96b141f6176beb12d5368a9ce5daba021ab8f4619baf831154a1f7e52273efaa6ed66d9a7a1e3aca3"
         "2dca566262ed",
     .server_public =
         "7b52965f5ae0fb5f96a46af20868e60752e8f34584e20b77de5241fa5e1a1ee3a2ac246bb017e3fc5393"
         "e141e2ac71f14b986a48ddfc3eee1ed76e83d635a5b76c6df040d4e274899337e668ffcc05b2093ecd60"
         "631feca11b0aeb493e43fe5f2a3b51fd11a14fde41e76022fa00d17b6badb213eab2bda38086799295df"
         "d3c345322a85a8d81ed3123909c15dbc10f8ee9bc3b49f14d743d6904d4aff7f25c9d46ed9e0ac9021b6"
         "7e7a1d3228f83d095d823d0d6f6d8d9570505332aa39fb40ccdcf429181cdd5844248b0fd8fd47d4415c"
         "1a1794f007ae6ea0e4e50b19f191c811ac72a7bd34b2577c3d0e392ea28a5f6b1fc38701f45881c5c447"
         "6b25b97f97ec1e07842f7abcc1f41e56937e0fc635dbea4a86a38d6d035be1c31143f75d165f07b4f11e"
         "c78de36b887e62182c11e335e3cd897b5268ed1074ff1b4af76a9aadf849da756e42dd7fcb5ec06f2ccc"
         "ec8eb5be2bdd6bf934816d3bc4cfbaca9cd52b4f36f7a35f735180eaae6a6263be817d50d8426c0e8a16"
         "e54274865219",
     .client_public =
         "6b376cd55339056422e434b5bd780357ae5562611efe4b3063ebe1ccb54945e26f5a96a886ed6deb7f35"
         "95538934b5d177298121670ae4ac8e0acbf2615f5be1de1e2190b04b1a157a6b82c561502501286774b0"
         "0fb0e16c04bff41b1186b6ec8f2d3b88c2552f4502453819d959fae329d92fd468c4a2fd30f35bd06348"
         "8bb987fb6a1bfcaaaf0add2bfe187befee361fc60839f722834b73fd9deb0e63709242a0e0b9ed2bec65"
         "477ea7d63c3db25bebece1752525b84b28978f32c28f6a246f10ecd4997ac98c3946fd3bf3d70ec4f14c"
         "9fd34444b4b780f87ef694fcd8a1f5cb3cc38881eb8a2fea72b74e79b81aeab79617789d1e314568b532"
         "eca62c92eb97b7471afce4751d9852eac18c7bb599fa40b1e0d9be3025a9aa935a6d2def70c329b96080"
         "9170aa65c4148871c9bee8155afb65115e298e11ee8c8f181b075d9cc37c2e896000221acfa8288c1aba"
         "01e76550e49d559101c9f4c9448c1049172cbd3e97b1dc29eba063dea1ef752b18317cf638d0316bdfa0"
         "43e6706fb4fa",
     .key = "001bf5b28b03f52febfdebad163a2e2a",
     .block = "ca4f5c2bd7793c6b47f3bcfec9e1a98762f24b0431b4cc959a71d0db16e0ecb6dff617c1bb03da613c73"
              "30ccee3f4deb",
     .signature = "1072fb29f5c3cd62616083d2ad67d99cf98b28dbbe980d9d7d3bbfc248d2dc72"},
    {.pool = "chat",
     .user = "ann",
     .password = "correct horse 1",
     .salt = "cf42f492120537419139376a622925e1",
     .secret = "caffd809bf7a86408749d3b6079e0832ce83967a9e7c78b812c7b9875a9be943",
     .verifier =
         "406b577d3d6d9307b340cf88674bd33e2b300d98fb95f1749d31710f5122f53c1c907e5a2f074f0aa4b3"
         "0732619f89a501f52cc086ba60c954a5310352469808fe3ea848f3a6dcaf9cdf235b1d008c007456a243"
         "ea75b63b0885671ca2142dfece4bbe3296f97c5b2598cb23e2548ed414015067981fc219e710ac6e5fbc"
         "220ed76e1981698820f3673d35d5d4b5c5ad9900586b1b08a4f6a97635b9ca9508dfd6f5f5334b533aea"
         "dd20f185fcac66d5b89a74c017a16f1e70c3ae49999c5add3c13a65ec2c24b6ed2ad91eb0d9a72afa888"
         "2a8cf0e0239d5a741266aca0425945c539b64e47280a5185024d9d41ff6658f731614bb5741e9c6bc1be"
         "9fb0ff16cc184b87ae566c2aafcd1c7bd8fcc60a1fa3ea0d39f5a6b1a24ca698dc7d4686308f4991da42"
         "a1df5755e705abba4496237f7606baa23cf9e527678480abd25b3cdd320fa9644e584d000db8a8e9ddc4"
         "7bc642b94f870850eb933dc13272ad30a15301aacc5bea073c8b66d6558ae9c51dfb0b94dc266dc99f1d"
         "1853e6cc1228",
     .server_public =
         "359daba73ec4552d0f16d0b3bd0c1eb578899264a86758204cbd0983dcc4f80e2378f9f6631b5386875a"
         "299218aa76fdc7c879065226e923593347c92d147387a41e74373b80544ba926c8a009f14a083c395492"
         "f13fd784904f6ef20fd3b855e37405ec3fb49a7d44a8e9977b5ac9d60d033c98c996c3ca45551a61d1df"
         "3b1185cd1fcd8d2c8df018a3ec92378be4860a3206320ed05d77eb7a8186728c85d7439a6ebb56735e36"
         "0f40ce5593a1a1d1191421d436106faea9eeaf3811a57b4d57ecee076e1bfd82f133e56d90fab275b631"
         "c8ea75946c1db96a4c7c14b87f7f0f428bb1fd34f70729fbee4e02b38702a2990d838cf668777e91ecea"
         "0c904aac7103b8d050b95eddd56c95431cfcc87e7b7844d78b90e7483316d76a77af9f278914ad70e743"
         "f067e6c859d14102186354cc35612453ff0f5d0d8813196a75e0ea303d918228b03aab400c9b0c01173b"
         "d147a9d85d0bb09b22e2aa1ba9494b43c2fa4022a20850ff8aa46be1446a713e9a8d6db1274599662cca"
         "52e52ec988b7",
     .client_public =
         "c39ae5c3b954a28b344b774de4eed78c42d34cd2e32a9860899ffe7b16b6d85610166e1e47ef5accc194"
         "0162d7fe19c06e2acafa9adbe474ed3d52487a75783eb3550962ed952c85a04e45cdb30354952079bf4c"
         "0ee8638ce21334a03edea090dc78d4ab02787a2c9d3bed0efb35785c25e98bcc4cc42b3a05cc844fa1b1"
         "b2b05cc6ecdef1b179232ade3784a06069fa1f53b683ac684b1387fe9df5e0bf1565b3a0af4b1eb3a9f3"
         "f33e1313034f5d2acd13068660541c956e3f40b3a6cb50ec1f121ef59301d185076a26b4e94831c5d626"
         "e6e8adab778c55292c8a563b2f81123d9959fbaaa97493d034d9e6de05530c69107afbdf71e82a0fd640"
         "cece52b4e910e982e4a5c97189f85d57849a1e1acd9b8ec5fc8520c584d78f58b2818189700ff48303d4"
         "87aec0a1539a544a299c0916affc0d46b89650a345540f84aaaf0f694f01a5ffcdc4b4b7303dcda253c5"
         "6ce1a1cca146ed3d8b3fc76967e73e9a2c6b7de8e41d3e383316883c5730104604c2a4d4ea2463024a7f"
         "803a2c64e4",
     .key = "d6b74e1572511f9e8ee9ec52d092bcd1",
     .block = "00303201ce204b05cde402d222eaef0d3c33100510b68d8d95ab7b31b32e8a920f114c19d3f6f51aaf98"
              "4108c97184f1",
     .signature = "7b6e7429e91a12cfaac3cc1eaddafaa80a301f8a8fa0ded256b3d24ace36cb14"},
    {.pool = "chat",
     .user = "ann",
     .password = "correct horse 1",
     .salt = "82719a80e5fd1c4a1ecba5e54d52c0aa",
     .secret = "8870c0dba7c1fde92c0da57533a8306ea15185e178e04864eb5e532078e14a55",
     .verifier =
         "aaff64053dd83c8acbb32f57b56d6ba7b72b842e0fbcb7250b2771095998191cf2a160a725f747385316"
         "75f65a17299a9ed7b137e067adf559009cf2a2a1d77d45936c3dd86505fd8c82061e9e9e2d7d4999ceed"
         "69588cb1b3f4d3b7f9d84eebac600934290113fe6a730bc6bd25c9de97e4c04c1fa02e86d450abf4ed8f"
         "adf3740ad978d28f1be05175f955ad40c8eae4f1123d4d7a8cc819f870ff161f1c6c53b6918c0b1c2cd0"
         "846417277c07822448b70e4ceaba1c8ab32e6d8baeea60182526bf3993d7df129616f02a084ce6b3daa8"
         "80bd29612dbe02edc6884963e484ff89de2806b56383569b59689257be108ffecbec19d05d524be3c8d6"
         "9bce12abf90efa86c1b86922f437fbcfb85adc2212cfab9ca8dcd0d67e8d6552aad9afc5fba4dd6f53f7"
         "8623e1b0bdf5f34c506a50337bbf152692f52e726843a4ab2ffab0e871b5308a8794eaa5e1bb4dc4448f"
         "48221d6ef8fe1bdf4d2f73fb03521c817fa328b40ee4a84e78fdec6057ba7e0380811c7a4f5be58e1236"
         "da8e062ade94",
     .server_public =
         "e1201203feb4e6689550f4a190bbdfb5d841121640ec6923ad693f6e8adaf84af77a79422a6d325f0583"
         "7602f199af1b2219438cba5f3ac5709bdde2df15db85ab73906937b820da111e7005a5b0ae7e1b194017"
         "8633d858921ca5fabd8774798c64d7ced6757cb9f84b5c8430b8d1cced0592980b7d7051cbe4e9d343e0"
         "1f624767b5311864b6f0d63ff546619521f2522fe9455bdea0b3039f17a5ab462f53cd3baf79a9e3fa9c"
         "cb6bcca228a4c0a68cbb4d5bc8a59d571114bb319ba1ded5bb89ead6d19ee44db226ffcba8f28e9b03fb"
         "d09acb6e51294f0c24ad082b565b76749cd5a2c650727628fdeda2bf359cb5c7b80fc680adadc1d7875a"
         "98ee13044317d53c99eada473ba9275b2f20255acadab717e6ea6f22ff7fa53c10cd932986fd5c0d265a"
         "26897c856c49ad579737479740530f4119216bdf34516f1fea1013cf89fb9f7cd9bef39fe6623f688ad4"
         "3390893f1fcc0e844c4a24f054adbad784fb6c4331c56de8c0c064e310719905e89b789f26deaa68a95c"
         "d26279a02074",
     .client_public =
         "90ee4ced1e7c258876fb67d347a6cff01d6e6f3d0cb397f52d2ab47ab213a4f178b8f1f089eb51edfc03"
         "93d7e6f7d66673bedfb6ebaba269f200fb7ed19d7804e0ace0ad204f3f697081dd16ca0dd9cb869ce089"
         "b4ffc2138ed73f9e6786363052ef276e333f0da5eb22f7020484642a8bdfc42b19748c25828e20285f7b"
         "11d28917daa8ee9903b0ce1e79e466100271372f6037c2c941892281d0f82ee4eae1112412f176a898b7"
         "e9d58232f94b49b17b4e23c80952b9b791cba95cb3578ae91bae723a646e16ef8b4cdc53269ef1b7d604"
         "943319e94691ecab5ae7b6579da0793632feab9555ad4ba78746b1f9bdc9bb762780f2ca27c225788360"
         "37de7ab08c9808b20722265944911cc157bb62628442532db777793b7007bdb71890c59895ff63b07db2"
         "a325b67d7ef1b9045447fb47e3ce3ccff55e4fe9f6c23c9e3529e63f8850f8913ff1984bd76d8974f63b"
         "789cfe6826502c3dfe455c9dce9257aa31c86fcface5057216cc2a40fe27d16939d77641db1ad66fe3c3"
         "8781efa593c0",
     .key = "c932d3b07a3b10cef7545fb9725388a7",
     .block = "97bf9e8f3ff69395a477e77195b98e53966d0b462e55b20a3e05236cdb187ef9459bff92483a2a79d371"
              "2fdce70c4527",
     .signature = "83e0fa0b88bbbe6b10617976ee1ca37418f272189996ee5bd1ea3bef6291d880"},
    {.pool = "chat",
     .user = "ann",
     .password = "correct horse 1",
     .salt = "1a31ed55e12b1e3e7afcb2d880e72981",
     .secret = "88d42dcd23a39440eeabd0f767d7e42b6dd54907b8b876d290eb998d9de95f6a",
     .verifier =
         "a86664dc36bbcc60887dd1b0a46eb418756f8d0207962cbaf2035acb95e9bd5839843580185ef6634708"
         "67d002ed3f2d75c225088595c4bd89365dbffef8d4dba7c06cc687b1d1a6f9a29b79361bb5358f7f9b4c"
         "5cb548804f27cff1fb443cadcb48a6f33a3b11e210ebf1c50b3369e68d4b61cac09f24c493ca2c413310"
         "49fb5de69ad5df1698a95f50b1dd8546a37e9fca7da41b4df99e3a34fc895ca4a072879714632ec1b1c1"
         "9f0c3e877ec85a16798dc985d89d5a77e3666e8c14b949800e1689578c9473c22a2b649d34b3bbe94648"
         "f0a9eaf9bbf8aa9c34600dcdae01d000b6f782b194e80e49fd242aeaa4718df16177f6dee55f4d35cdad"
         "91ba131f79a53bb7e7d0a8f81dc9ffd488c9a792a4c9cfac4ffc2a3e5932b4450ae7418b35c2bed11011"
         "0fbd0c21932286ca593935ba43bdf0d90219630ccb69deda3e0c93ad6ffe87900bc58a6fb9df808f8aef"
         "ed5038442fceefa6e5984e60c2b7d1ef3cce1c71394ba40fc2f4cc80181a2d0992a0e8ef43c20b44371d"
         "2be8f9d65f38",
     .server_public =
         "aa394d17d199ec3447677557ada7fc5df1d52f92774b28d9af1ac15b9d3cfd042ba4b73f02c8ef1257ce"
         "dee8812f4e0c061296622f1d02b731595a3f902f6e9ee00cd79be0c3b574663f0f971354795fddd71242"
         "98d866099b1def2edfe3867c0a2b22b8cc4c789ef2023c6f80f402c3fa7a2f19b346c4893f54714312ab"
         "46228e52ae00d932ba2482bb87e3cea006a7394bb53914070f69fb186f1bef9e52ee3f2a032ec54ea071"
         "1d755ab736786e9ba834226ec30b73260e4725272462fb45290a9f1041b56b7981479730ba75cd9acf43"
         "ce7b11e9303f2af6a69a6c9f3988213016fa20621b1da6e050d5acc90db9809b45d860f16fdd38ad3fd6"
         "22d4e63755f0127ef76100ed66cc2e0acf3ae18a4514e20c3a8d2ed592d71f12a4cd4ba1dc80007064a6"
         "86c577826bf6daa6ee8480de3d4ebd1eb5b2b16a4333c18841f5e34afe8130bbca28208e9ad1625af6f3"
         "c392e82823200a858a650cbfaa52a6ebabcfefd277ed255b8ea3c4ffa1d46b7b7b117cefcadb661dbff5"
         "b133aebebc",
     .client_public =
         "929c75597d4c2e58db6e77abc6afe4082dc94f309dc67611d888694d9a81b88dd6653dc693c99f50dc59"
         "becc3176367fa77b26cfc83f717a2c60f0e969ce12227c7fdec80e14fb6c5ed53e205e4a2cb3618569ef"
         "7bc9ce05b92750d9a734cf813c071d1dca4805ee7ab11c20365632623db9471a37c4cd4dd7e9212c9230"
         "9b107b9372e55b33ca33dc0b49c8dd5eff55ccdd8b754e87c5b72fbc8987520e6c2d53f524ee9abec66f"
         "0271ea6d3fe48c5412e386c5dcdd02cdd866a0e2df8a6b6eec47931e7495da7cf0cd2990982e5d43d819"
         "3c6765f6dfb933b201c2f223574681c2e4ee990ccd40fccf3917c8470946b1a22b0713b65d105dc99a12"
         "2aed25a6399573bd183de1f87e88d042dc964a6098a953e8ca196af9d14004f27c7d88a613f718894e99"
         "0028e67b838d4b8fc5a37bfc791d28a4da95beb89f2f1fd28ed79d036a2f305252c3fd8ea1fc4ec33c5e"
         "9bee0f599769fe57b9f3b17ca244c390a00c7bcdb646ec5816078bf0950d0e77d66dac2f11d00d23703c"
         "ec49b7aaa62f",
     .key = "e7f27501e95d3b94431497aa9fb2d825",
     .block = "d1de69e3ab1eeeb5421fd51594e35d279c0ee5b5eaeb064aef856b0deb6abab65d8f236213f1f7a6c38c"
              "6e75c9705f51",
     .signature = "9b6350fe7d44329d1c47410ac15fe7a197df2f4dc06f966261e2b62ec551c129"},
};

enum { VECTORS = sizeof s_vectors / sizeof s_vectors[0] };
static const char s_timestamp[] = "Mon Nov 23 03:25:07 UTC 2026";

static size_t s_unhex(const char *hex, uint8_t *out, size_t size)
{
    size_t written = 0;
    assert_int_equal(sodium_hex2bin(out, size, hex, strlen(hex), NULL, &written, NULL), 0);
    return written;
}

static void s_assert_number(const uint8_t number[SRP_NUMBER_SIZE], const char *hex)
{
    char text[SRP_HEX_SIZE];
    srp_print(number, text);
    assert_string_equal(text, hex);
}

static void test_vectors(void **state)
{
    (void)state;
    for (int i = 0; i < VECTORS; i++) {
        const vector_t *row = &s_vectors[i];
        const srp_name_t name = {.pool = row->pool, .user = row->user};
        uint8_t salt[SRP_SALT_SIZE], secret[SRP_SECRET_SIZE], block[64];
        uint8_t verifier[SRP_NUMBER_SIZE], server[SRP_NUMBER_SIZE], client[SRP_NUMBER_SIZE];
        uint8_t key[SRP_KEY_SIZE], wanted[SRP_SIGNATURE_SIZE], signature[SRP_SIGNATURE_SIZE];
        s_unhex(row->salt, salt, sizeof salt);
        s_unhex(row->secret, secret, sizeof secret);
        srp_verifier(&name, row->password, strlen(row->password), salt, verifier);
        s_assert_number(verifier, row->verifier);
        srp_server_public(verifier, secret, server);
        s_assert_number(server, row->server_public);
        assert_true(srp_parse_public(row->client_public, strlen(row->client_public), client));
        s_assert_number(client, row->client_public);
        assert_true(srp_server_key(verifier, secret, client, key));
        s_unhex(row->key, wanted, sizeof wanted);
        assert_memory_equal(key, wanted, sizeof key);
        size_t size = s_unhex(row->block, block, sizeof block);
        srp_signature(key, &name, block, size, s_timestamp, strlen(s_timestamp), signature);
        s_unhex(row->signature, wanted, sizeof wanted);
        assert_memory_equal(signature, wanted, sizeof signature);
    }
}

static void test_another_password_gives_another_key(void **state)
{
    (void)state;
    const vector_t *row = &s_vectors[0];
    const srp_name_t name = {.pool = row->pool, .user = row->user};
    uint8_t salt[SRP_SALT_SIZE], secret[SRP_SECRET_SIZE], client[SRP_NUMBER_SIZE];
    uint8_t verifier[SRP_NUMBER_SIZE], key[SRP_KEY_SIZE], wanted[SRP_KEY_SIZE];
    s_unhex(row->salt, salt, sizeof salt);
    s_unhex(row->secret, secret, sizeof secret);
    s_unhex(row->key, wanted, sizeof wanted);
    srp_verifier(&name, "correct horse 2", 15, salt, verifier);
    assert_true(srp_parse_public(row->client_public, strlen(row->client_public), client));
    assert_true(srp_server_key(verifier, secret, client, key));
    assert_memory_not_equal(key, wanted, sizeof key);
}

/* A multiple of the prime makes S zero, whatever the password. */
static void test_bad_publics_are_refused(void **state)
{
    (void)state;
    uint8_t number[SRP_NUMBER_SIZE];
    char long_text[2 * SRP_NUMBER_SIZE + 64], prime[2 * SRP_NUMBER_SIZE + 1];
    /* RFC 3526 4: the prime begins and ends with 64 bits that are set. */
    static const char middle[] =
        "c90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404ddef9519b3cd"
        "3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7edee38"
        "6bfb5a899fa5ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf0598da48361c55d39a69163fa8fd24cf"
        "5f83655d23dca3ad961c62f356208552bb9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e46"
        "2e36ce3be39e772c180e86039b2783a2ec07a28fb5c55df06f4c52c9de2bcbf6955817183995497cea956ae515"
        "d2261898fa051015728e5a8aaac42dad33170d04507a33a85521abdf1cba64ecfb850458dbef0a8aea71575d06"
        "0c7db3970f85a6e1e4c7abf5ae8cdb0933d71e8c94e04a25619dcee3d2261ad2ee6bf12ffa06d98a0864d87602"
        "733ec86a64521f2b18177b200cbbe117577a615d6c770988c0bad946e208e24fa074e5ab3143db5bfce0fd108e"
        "4b82d120a93ad2ca";
    strcpy(prime, "ffffffffffffffff");
    strcat(prime, middle);
    strcat(prime, "ffffffffffffffff");
    assert_int_equal(strlen(prime), 2 * SRP_NUMBER_SIZE);
    assert_false(srp_parse_public(prime, strlen(prime), number));
    prime[2 * SRP_NUMBER_SIZE - 1] = 'e';
    assert_true(srp_parse_public(prime, strlen(prime), number));
    static const char *const bad[] = {"", "0", "000000", "g", "-1", "1 ", "0x1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(srp_parse_public(bad[i], strlen(bad[i]), number));
    memset(long_text, '1', sizeof long_text);
    assert_false(srp_parse_public(long_text, sizeof long_text, number));
    memset(long_text, '0', sizeof long_text);
    long_text[sizeof long_text - 1] = '2';
    assert_true(srp_parse_public(long_text, sizeof long_text, number));
    s_assert_number(number, "2");
    memset(number, 0, sizeof number);
    s_assert_number(number, "0");
}

static void s_keys(srp_keys_t *keys, uint8_t first)
{
    uint8_t bytes[MASTER_KEY_SIZE] = {first};
    master_key_t *master = master_key_new(bytes);
    srp_keys_derive(master, keys);
    master_key_destroy(&master);
}

static void test_verifiers_open_for_their_account_only(void **state)
{
    (void)state;
    srp_keys_t keys, others;
    s_keys(&keys, 1);
    s_keys(&others, 2);
    parley_uuid_t account = {{1}}, other = {{2}};
    uint8_t verifier[SRP_NUMBER_SIZE], opened[SRP_NUMBER_SIZE], sealed[SRP_SEALED_SIZE];
    srp_invent_verifier(&keys, "ann", verifier);
    srp_seal_verifier(&keys, &account, verifier, sealed);
    assert_true(srp_open_verifier(&keys, &account, sealed, sizeof sealed, opened));
    assert_memory_equal(opened, verifier, sizeof verifier);
    assert_false(srp_open_verifier(&keys, &other, sealed, sizeof sealed, opened));
    assert_false(srp_open_verifier(&others, &account, sealed, sizeof sealed, opened));
    assert_false(srp_open_verifier(&keys, &account, sealed, sizeof sealed - 1, opened));
    sealed[100] ^= 1;
    assert_false(srp_open_verifier(&keys, &account, sealed, sizeof sealed, opened));
}

static void test_names_without_an_account(void **state)
{
    (void)state;
    srp_keys_t keys;
    s_keys(&keys, 1);
    uint8_t one[SRP_NUMBER_SIZE], two[SRP_NUMBER_SIZE], salt[SRP_SALT_SIZE], same[SRP_SALT_SIZE];
    srp_invent_verifier(&keys, "ann", one);
    srp_invent_verifier(&keys, "ann", two);
    assert_memory_equal(one, two, sizeof one);
    srp_invent_verifier(&keys, "bob", two);
    assert_memory_not_equal(one, two, sizeof one);
    srp_salt(&keys, "ann", salt);
    srp_salt(&keys, "ann", same);
    assert_memory_equal(salt, same, sizeof salt);
    srp_salt(&keys, "bob", same);
    assert_memory_not_equal(salt, same, sizeof salt);
}

static void test_challenges_come_back_whole(void **state)
{
    (void)state;
    srp_keys_t keys, others;
    s_keys(&keys, 1);
    s_keys(&others, 2);
    static srp_challenge_t challenge, opened;
    uint8_t *block;
    size_t size;
    challenge = (srp_challenge_t){.session = {{7}}, .made_ms = INT64_C(1795403107000)};
    memset(challenge.user, 'u', SRP_USER_MAX);
    randombytes_buf(challenge.secret, sizeof challenge.secret);
    randombytes_buf(challenge.client_public, sizeof challenge.client_public);
    char *text = srp_challenge_seal(&keys, &challenge);
    assert_true(strlen(text) <= SRP_BLOCK_TEXT_MAX);
    assert_true(srp_challenge_open(&keys, text, strlen(text), &opened, &block, &size));
    assert_memory_equal(&opened, &challenge, sizeof opened);
    assert_true(size > SRP_USER_MAX);
    free(block);
    assert_false(srp_challenge_open(&others, text, strlen(text), &opened, &block, &size));
    assert_false(srp_challenge_open(&keys, text, strlen(text) - 4, &opened, &block, &size));
    assert_false(srp_challenge_open(&keys, "", 0, &opened, &block, &size));
    assert_false(srp_challenge_open(&keys, "AAAA", 4, &opened, &block, &size));
    text[20] = text[20] == 'A' ? 'B' : 'A';
    assert_false(srp_challenge_open(&keys, text, strlen(text), &opened, &block, &size));
    free(text);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_another_password_gives_another_key),
        cmocka_unit_test(test_bad_publics_are_refused),
        cmocka_unit_test(test_verifiers_open_for_their_account_only),
        cmocka_unit_test(test_names_without_an_account),
        cmocka_unit_test(test_challenges_come_back_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
